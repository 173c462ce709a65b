import { stepOf } from '../../payments/index.ts';
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

/** Units of a line whose money can go back on purpose: it has neither gone back nor been waived. */
export function refundableUnits({ quantity, refunded_quantity, waived_quantity }: ItemState): number {
  return Math.max(0, quantity - refunded_quantity - waived_quantity);
}

/** What of a line is still withheld: a refund by line takes other units first and these in the end. */
export function withheldOf(item: ItemState): { quantity: number; amount: number } {
  const quantity = Math.min(item.withheld_quantity, refundableUnits(item));
  const left = Math.max(0, item.total - item.refunded_amount - item.waived_amount);
  return { quantity, amount: quantity === 0 ? 0 : Math.min(item.withheld_amount, left) };
}

/** Units of a line whose money has neither gone back nor been waived nor withheld. */
function unsettledUnits(item: ItemState): number {
  return refundableUnits(item) - withheldOf(item).quantity;
}

/**
 * What the next `count` units of a line are worth, after what was settled before; withheld ones come last. However a line
 * is taken apart, its parts never come to more than its total, and all of its units come to exactly that.
 */
function shareOf(item: ItemState, count: number): number {
  const kept = count > unsettledUnits(item) ? { quantity: 0, amount: 0 } : withheldOf(item);
  const settled = item.refunded_quantity + item.waived_quantity + kept.quantity;
  return Math.max(0, costOfFirst(settled + count, item) - item.refunded_amount - item.waived_amount - kept.amount);
}

/** Rounded down to what the provider can move. */
function movable(amount: number, { payment, currency }: OrderState): number {
  return payment === null ? amount : amount - (amount % stepOf(payment.provider, currency));
}

/**
 * Units with what they are worth, `beside` some other amount. Where the provider could not move the sum, each line is
 * rounded down to what it can: the rest of it follows the line's next units, or the end of the order.
 */
export function priced(state: OrderState, lines: readonly Picked[], beside: number): (Picked & { share: number })[] {
  const exact = lines.map((line) => ({ ...line, share: shareOf(line.item, line.quantity) }));
  const sum = exact.reduce((total, { share }) => total + share, beside);
  if (movable(sum, state) === sum) return exact;
  return exact.map((line) => ({ ...line, share: movable(line.share, state) }));
}

/** Lines with those of their units whose money is not settled yet. */
function unsettled(lines: readonly Picked[]): Picked[] {
  return lines.flatMap(({ item, quantity }) => {
    const count = Math.min(quantity, unsettledUnits(item));
    return count === 0 ? [] : [{ item, quantity: count }];
  });
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

const keptOf = ({ items }: OrderState) => items.reduce((sum, item) => sum + withheldOf(item).amount, 0);

/** What may follow canceled units: all that was paid or is to be, but for what is withheld. */
function releasableOf(state: OrderState, payment: PaymentBalance, refundable = refundableOf(payment)): number {
  return movable(Math.max(0, dueOf(payment) + refundable - keptOf(state)), state);
}

/** What stays of a payment, were a bank to give up all that it took back. */
function staysIfWon({ amount, waived_amount, captured, refunded, open_refund }: PaymentBalance): number {
  return Math.max(0, Math.min(amount - waived_amount, captured - refunded - open_refund));
}

/**
 * What a bank took back may be won again: the buyer gets it then but for what `stays`, so more than that is not due any
 * more. Told by the provider, `returnUndue` gives it back.
 */
function notDueIfWon({ amount, waived_amount, charged_back }: PaymentBalance, stays: number): number {
  return charged_back === 0 ? 0 : Math.max(0, amount - waived_amount - stays);
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

export interface Settlement {
  /** Of the payment, what is not due any more: it is not taken, or goes back where a bank gives it up. */
  waivedAmount: number;
  waived: MoneyLine[];
  refund: RefundPlan;
}

export interface MoneyLine {
  item_id: string;
  quantity: number;
  amount: number;
}

/** The money of an order that is over, but for what is withheld; told apart by line and shipping as far as they make it up. */
export function settleOrder(state: OrderState, payment: PaymentBalance): Settlement {
  const releasable = releasableOf(state, payment);
  const untaken = Math.min(dueOf(payment), releasable);
  const amount = releasable - untaken;
  const take = capped(amount);
  const items = state.items.flatMap((item): RefundLine[] => {
    const quantity = unsettledUnits(item);
    const part = take(shareOf(item, quantity));
    return part > 0 ? [{ order_item_id: item.id, quantity, amount: part }] : [];
  });
  const shippingAmount = take(state.shipping_amount - state.shipping_refunded);
  const waivedAmount = Math.max(untaken, notDueIfWon(payment, keptOf(state)));
  return { waivedAmount, waived: [], refund: { amount, items, shippingAmount } };
}

/** Money of canceled units: what was not taken yet is not taken any more, the rest goes back, as soon as it is there. */
export function settleLines(state: OrderState, payment: PaymentBalance, lines: readonly Picked[]): Settlement {
  const releasable = releasableOf(state, payment);
  const release = capped(releasable);
  const waive = capped(dueOf(payment));
  const dispute = capped(Math.max(0, releasableOf(state, payment, staysIfWon(payment)) - releasable));
  const refund: RefundPlan = { amount: 0, shippingAmount: 0, items: [] };
  const settlement: Settlement = { waivedAmount: 0, waived: [], refund };
  let won = 0;
  for (const { item, quantity, share } of priced(state, unsettled(lines), 0)) {
    const released = release(share);
    const untaken = waive(released);
    const disputed = dispute(share - released);
    const amount = released - untaken;
    const waived = untaken + disputed;
    const isAllWaived = waived === share;
    if (waived > 0 || isAllWaived) {
      settlement.waived.push({ item_id: item.id, quantity: isAllWaived ? quantity : 0, amount: waived });
    }
    if (amount > 0) refund.items.push({ order_item_id: item.id, quantity, amount });
    settlement.waivedAmount += untaken;
    refund.amount += amount;
    won += disputed;
  }
  if (won === 0) return settlement;
  const { waivedAmount } = settlement;
  const after = {
    ...payment,
    waived_amount: payment.waived_amount + waivedAmount,
    refunded: payment.refunded + refund.amount,
  };
  return { ...settlement, waivedAmount: waivedAmount + notDueIfWon(after, staysIfWon(after) - won) };
}

/** Units whose money is to stay: it is kept, or taken still, whatever becomes of the rest of the order. */
export function withhold(state: OrderState, lines: readonly Picked[]): MoneyLine[] {
  return priced(state, unsettled(lines), 0).map(({ item, quantity, share }) => ({
    item_id: item.id,
    quantity,
    amount: share,
  }));
}
