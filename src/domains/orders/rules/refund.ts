import { AppError } from '../../../platform/errors.ts';
import { pickLines } from './lines.ts';
import { priced, refundableOf, refundableUnits, type RefundPlan } from './money.ts';
import type { Line, OrderState } from './state.ts';
import { assertPlaced } from './status.ts';

/** Amounts in minor units; what is given together adds up. Withheld units of a line go back last, and by an amount not at all. */
export interface RefundWish {
  items?: readonly Line[] | undefined;
  shippingAmount: number;
  /** Beside lines and shipping. */
  amount: number;
}

function tooMuch(param: string, left: number): AppError {
  return new AppError('validation_failed', `At most ${left} is left.`, { param, members: { left } });
}

/**
 * What a refund comes to. Throws illegal_transition before an order is confirmed, and validation_failed where it is for
 * nothing, for units or shipping whose money went back before, or for more than was paid and not returned.
 */
export function planRefund(state: OrderState, { items = [], shippingAmount, amount }: RefundWish): RefundPlan {
  assertPlaced(state.status);
  const picked = pickLines(state, items, refundableUnits);
  const lines = priced(state, picked, shippingAmount + amount).map(({ item, quantity, share }) => ({
    order_item_id: item.id,
    quantity,
    amount: share,
  }));
  const shippingLeft = state.shipping_amount - state.shipping_refunded;
  if (shippingAmount > shippingLeft) throw tooMuch('shipping_amount', shippingLeft);
  const total = lines.reduce((sum, line) => sum + line.amount, shippingAmount + amount);
  if (total === 0) throw new AppError('validation_failed', 'There is nothing to refund.', { param: 'amount' });
  const left = refundableOf(state.payment);
  // Where nothing at all can go back, the payment says so with the moves it has.
  if (left > 0 && total > left) throw tooMuch('amount', left);
  return { amount: total, shippingAmount, items: lines };
}
