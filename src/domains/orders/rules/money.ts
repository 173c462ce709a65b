import type { Picked } from './lines.ts';
import type { ItemState, OrderState, PaymentBalance } from './state.ts';

/** A line's part in a refund; amounts in minor units. */
export interface RefundLine {
  order_item_id: string;
  quantity: number;
  amount: number;
}

export interface RefundPlan {
  amount: number;
  shippingAmount: number;
  items: RefundLine[];
}

/** What the first `count` units of a line cost together: rounded down, so the last unit takes the remainder. */
function costOfFirst(count: number, { total, quantity }: Pick<ItemState, 'total' | 'quantity'>): number {
  return Number((BigInt(total) * BigInt(count)) / BigInt(quantity));
}

/** Units of a line whose money has neither gone back nor been waived. */
export function unsettledUnits({ quantity, refunded_quantity, waived_quantity }: ItemState): number {
  return quantity - refunded_quantity - waived_quantity;
}

/**
 * What the next `count` unsettled units of a line are worth, after what was settled before. However a line is taken
 * apart, its parts never come to more than its total, and all of its units come to exactly that.
 */
export function shareOf(item: ItemState, count: number): number {
  const settled = item.refunded_quantity + item.waived_quantity;
  return Math.max(0, costOfFirst(settled + count, item) - item.refunded_amount - item.waived_amount);
}

/** What can still go back. */
export function refundableOf(payment: PaymentBalance | null): number {
  if (payment === null) return 0;
  return Math.max(0, payment.captured - payment.refunded - payment.charged_back - payment.open_refund);
}

/** What is still to be taken. */
export function dueOf(payment: PaymentBalance): number {
  return Math.max(0, payment.amount - payment.waived_amount - payment.captured - payment.open_capture);
}

/** A cap that is used up: `take` gives what is asked for as long as there is any. */
function capped(left: number): (wanted: number) => number {
  let rest = left;
  return (wanted) => {
    const taken = Math.min(wanted, rest);
    rest -= taken;
    return taken;
  };
}

/** All that can go back of an order, told apart by line and shipping as far as they make it up. */
export function refundAll(state: OrderState): RefundPlan {
  const amount = refundableOf(state.payment);
  const take = capped(amount);
  const items = state.items.flatMap((item): RefundLine[] => {
    const quantity = unsettledUnits(item);
    const part = take(shareOf(item, quantity));
    return part > 0 ? [{ order_item_id: item.id, quantity, amount: part }] : [];
  });
  return { amount, items, shippingAmount: take(state.shipping_amount - state.shipping_refunded) };
}

export interface Settlement {
  refund: RefundPlan;
  waived: { item_id: string; quantity: number; amount: number }[];
}

/** Money of canceled units: what was not taken yet is not taken any more, the rest goes back. */
export function settleLines(payment: PaymentBalance, lines: readonly Picked[]): Settlement {
  const [waive, refund] = [capped(dueOf(payment)), capped(refundableOf(payment))];
  const settlement: Settlement = { refund: { amount: 0, shippingAmount: 0, items: [] }, waived: [] };
  for (const { item, quantity } of lines) {
    const count = Math.min(quantity, unsettledUnits(item));
    if (count === 0) continue;
    const share = shareOf(item, count);
    const waived = waive(share);
    const amount = refund(share - waived);
    const isAllWaived = waived === share;
    if (waived > 0 || isAllWaived) {
      settlement.waived.push({ item_id: item.id, quantity: isAllWaived ? count : 0, amount: waived });
    }
    if (amount > 0) settlement.refund.items.push({ order_item_id: item.id, quantity: count, amount });
    settlement.refund.amount += amount;
  }
  return settlement;
}
