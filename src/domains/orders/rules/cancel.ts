import { AppError, illegalTransition } from '../../../platform/errors.ts';
import { isWaiting } from '../../fulfillment/index.ts';
import type { Demand } from '../../inventory/index.ts';
import { allLeft, pickLines, type Picked } from './lines.ts';
import { dueOf, settleLines, settleOrder, withhold, type MoneyLine, type RefundPlan } from './money.ts';
import { freeUnits, stockOf, type Line, type OrderState, type PaymentBalance } from './state.ts';
import { assertConfirmed, ORDER_MOVES, statusesOf, type Statuses } from './status.ts';

export interface CancelWish {
  /** Absent: the whole order. */
  items?: readonly Line[] | undefined;
  /** Whether money follows the units; else it is withheld, until somebody refunds these lines on purpose. */
  refund: boolean;
  /** Buyers cancel whole orders on which nobody has begun to work. */
  byBuyer: boolean;
}

export interface CancelPlan {
  /** Whether the order is over with it. */
  isWhole: boolean;
  next: Statuses;
  lines: Line[];
  units: Demand[];
  /** Fulfillments in preparation that end with it. */
  fulfillmentIds: string[];
  money: MoneyPlan;
}

export interface MoneyPlan {
  /** Of the payment, what is not due any more. */
  waivedAmount: number;
  waived: MoneyLine[];
  withheld: MoneyLine[];
  refund: RefundPlan | null;
  /** Nothing was taken: the payment is given up as a whole. */
  isVoid: boolean;
}

const NO_MONEY: MoneyPlan = { waivedAmount: 0, waived: [], withheld: [], refund: null, isVoid: false };

function assertWholeCanBeCanceled({ items, fulfillments, status }: OrderState, byBuyer: boolean): void {
  const isTouched = fulfillments.some((each) => each.status !== 'canceled');
  if (byBuyer && isTouched) {
    throw illegalTransition(status, [], 'The order is being sent. Ask the shop.');
  }
  if (items.some((item) => item.fulfilled_quantity > 0)) {
    const legal = ORDER_MOVES[status].filter((move) => move !== 'canceled');
    throw illegalTransition(status, legal, 'Some units have left. Name the lines to cancel.');
  }
}

/** Of a whole order units in preparation are taken back; of lines only those that are in no fulfillment. */
function pickUnits(state: OrderState, { items }: CancelWish): Picked[] {
  if (items === undefined) return allLeft(state, (item) => item.quantity - item.canceled_quantity);
  return pickLines(state, items, (item) => freeUnits(state, item));
}

function withCanceled({ items }: OrderState, lines: readonly Picked[]) {
  return items.map((item) => {
    const canceled = lines.find((line) => line.item.id === item.id)?.quantity ?? 0;
    return { ...item, canceled_quantity: item.canceled_quantity + canceled };
  });
}

/** Nothing was taken and nothing is to be: what is held for it is let go. */
function isVoided(payment: PaymentBalance, waivedAmount: number): boolean {
  const isUntouched = payment.captured === 0 && !payment.voided && !payment.open_void;
  const isHeld = payment.authorized > 0 || (payment.provider === 'manual' && payment.amount > 0);
  return isUntouched && isHeld && dueOf(payment) === waivedAmount;
}

function moneyOf(state: OrderState, lines: readonly Picked[], isWhole: boolean, isWithheld: boolean): MoneyPlan {
  const { payment } = state;
  if (payment === null) return NO_MONEY;
  if (isWithheld) return { ...NO_MONEY, withheld: withhold(state, lines) };
  if (payment.open_capture > 0) {
    throw new AppError('conflict', 'Money is being taken for this order right now. Try again when that is settled.');
  }
  const { refund, ...settled } = isWhole ? settleOrder(state, payment) : settleLines(state, payment, lines);
  return {
    ...NO_MONEY,
    ...settled,
    refund: refund.amount > 0 ? refund : null,
    isVoid: isVoided(payment, settled.waivedAmount),
  };
}

/**
 * What canceling comes to. Throws illegal_transition where the order has no such move, validation_failed or not_found
 * naming a line, and conflict while money is being taken.
 */
export function planCancel(state: OrderState, wish: CancelWish): CancelPlan {
  assertConfirmed(state.status);
  if (wish.items === undefined) assertWholeCanBeCanceled(state, wish.byBuyer);
  const lines = pickUnits(state, wish);
  const next = statusesOf(withCanceled(state, lines), state.fulfillments);
  const isWhole = next.status === 'canceled';
  const inPreparation = state.fulfillments.filter(({ status }) => isWaiting(status));
  return {
    isWhole,
    next,
    lines: lines.map(({ item, quantity }) => ({ item_id: item.id, quantity })),
    units: lines.flatMap(({ item, quantity }) => stockOf(item, quantity)),
    fulfillmentIds: isWhole ? inPreparation.map(({ id }) => id) : [],
    money: moneyOf(state, lines, isWhole, !wish.refund),
  };
}
