import { AppError, notFound, type FieldError } from '../../../platform/errors.ts';
import type { ItemState, Line, OrderState } from './state.ts';

export interface Picked {
  item: ItemState;
  quantity: number;
}

/** One entry for each line that is named, however often it is. Throws not_found for a line of another order. */
function byLine({ items }: Pick<OrderState, 'items'>, lines: readonly Line[]): (Picked & { param: string })[] {
  const picked = new Map<string, Picked & { param: string }>();
  for (const [index, { item_id, quantity }] of lines.entries()) {
    const item = items.find(({ id }) => id === item_id);
    if (!item) throw notFound('line of this order', `items[${index}].item_id`);
    const known = picked.get(item_id);
    if (known) known.quantity += quantity;
    else picked.set(item_id, { item, quantity, param: `items[${index}].quantity` });
  }
  return [...picked.values()];
}

/** The named lines with their units. Throws validation_failed naming every line that asks for more than `leftOf` it. */
export function pickLines(
  state: Pick<OrderState, 'items'>,
  lines: readonly Line[],
  leftOf: (item: ItemState) => number,
): Picked[] {
  const picked = byLine(state, lines);
  const errors = picked.flatMap(({ item, quantity, param }): FieldError[] => {
    const left = Math.max(0, leftOf(item));
    if (quantity <= left) return [];
    return [{ param, code: 'too_many', message: `${quantity} asked for, ${left} left.`, requested: quantity, left }];
  });
  if (errors.length === 0) return picked;
  throw new AppError('validation_failed', 'Some lines have fewer units left than that.', {
    param: errors[0]?.param,
    errors,
  });
}

/** Every line that has units left, with all of them. */
export function allLeft({ items }: Pick<OrderState, 'items'>, leftOf: (item: ItemState) => number): Picked[] {
  return items.flatMap((item) => {
    const quantity = leftOf(item);
    return quantity > 0 ? [{ item, quantity }] : [];
  });
}
