import { FULFILLMENT_MOVES } from '../../src/domains/fulfillment/rules.ts';
import { ORDER_MOVES } from '../../src/domains/orders/rules/status.ts';
import { PAYMENT_MOVES, type PaymentStatus } from '../../src/domains/payments/rules.ts';
import { keepUnits, refundable, refundUnits, undoAll, undoUnits, UNITS, worth, type Money } from './money.ts';

/** What a walk does; numbers pick among what there is. */
export type Command =
  | {
      do: 'place';
      token: 'tok_ok' | 'tok_declined' | 'tok_requires_action' | 'tok_error';
      capture: 'automatic' | 'manual';
    }
  | { do: 'authenticate'; outcome: 'success' | 'failure' }
  | { do: 'webhooks'; reverse: boolean }
  | { do: 'capture' | 'refund'; percent: number }
  | { do: 'void' }
  | { do: 'cancel' | 'call_off' | 'tick' }
  | { do: 'prepare' | 'ship' | 'pickup'; units: number }
  | { do: 'cancel_units' | 'keep_units' | 'refund_units'; units: number }
  | { do: 'refund_amount'; percent: number }
  | { do: 'move'; pick: number; to: 'shipped' | 'ready_for_pickup' | 'delivered' | 'canceled' };

export const STOCK = 10;

interface Package {
  units: number;
  method: 'shipment' | 'pickup';
  status: 'pending' | 'shipped' | 'ready_for_pickup' | 'delivered' | 'canceled';
}

/** All that is true of one buyer's order. Amounts in minor units. */
export interface Model extends Money {
  order: 'none' | 'pending' | 'confirmed' | 'completed' | 'failed' | 'canceled';
  /** What the buyer's bank knows. */
  bank: 'unasked' | 'waits' | 'approved' | 'refused';
  token: string;
  capture: 'automatic' | 'manual';
  /** Units that were canceled one by one or with the order. */
  canceled: number;
  packages: Package[];
}

export const start = (total: number, line: number): Model => ({
  order: 'none',
  total,
  line,
  bank: 'unasked',
  token: '',
  capture: 'automatic',
  authorized: 0,
  captured: 0,
  refunded: 0,
  waived: 0,
  isVoid: false,
  settledUnits: 0,
  settledAmount: 0,
  keptUnits: 0,
  keptAmount: 0,
  canceled: 0,
  packages: [],
});

const unitsIn = ({ packages }: Model, ...statuses: Package['status'][]): number =>
  packages.filter(({ status }) => statuses.includes(status)).reduce((sum, { units }) => sum + units, 0);

/** What has to be seen of the order, its money and its stock. */
export function visible(model: Model) {
  const gone = unitsIn(model, 'shipped', 'delivered');
  const promised = ['pending', 'confirmed', 'completed'].includes(model.order) ? UNITS - model.canceled - gone : 0;
  return {
    status: model.order,
    fulfillment_status: fulfillmentOf(model, gone),
    payment_status: moneyOf(model),
    captured: model.captured,
    refunded: model.refunded,
    on_hand: STOCK - gone,
    reserved: promised,
  };
}

function fulfillmentOf(model: Model, gone: number): string {
  if (model.order === 'canceled') return 'canceled';
  if (unitsIn(model, 'delivered') === UNITS - model.canceled) return 'delivered';
  if (gone === UNITS - model.canceled) return 'fulfilled';
  return gone > 0 ? 'partially_fulfilled' : 'unfulfilled';
}

function moneyOf(model: Model): PaymentStatus {
  const { order, bank, total, authorized, captured, refunded, isVoid, waived } = model;
  if (refunded > 0) return refunded < captured ? 'partially_refunded' : 'refunded';
  if (captured > 0) return captured < total - waived ? 'partially_captured' : 'captured';
  if (isVoid) return 'voided';
  if (authorized > 0) return 'authorized';
  if (order === 'failed') return 'failed';
  return bank === 'unasked' ? 'pending' : 'requires_action';
}

const paid = (model: Model): Model => ({
  ...model,
  order: 'confirmed',
  ...(model.capture === 'manual' ? { authorized: model.total } : { captured: model.total }),
});

/** The shop learns what the bank said, whoever asks. */
function learn(model: Model): Model {
  if (model.order !== 'pending') return model;
  if (model.bank === 'approved') return paid(model);
  return model.bank === 'refused' ? { ...model, order: 'failed' } : model;
}

/** Where a command leads; null where the shop has to refuse it. */
export function next(model: Model, command: Command): Model | null {
  switch (command.do) {
    case 'place':
      return place(model, command);
    case 'authenticate':
      return model.bank === 'waits' ? { ...model, bank: command.outcome === 'success' ? 'approved' : 'refused' } : null;
    case 'webhooks':
      return learn(model);
    case 'tick':
      return model.order === 'pending' && model.bank === 'unasked' ? paid(model) : learn(model);
    case 'capture':
    case 'void':
    case 'refund':
      return move(model, command);
    case 'refund_units':
      return isPlaced(model) ? refundUnits(model, command.units) : null;
    case 'refund_amount': {
      const amount = shareOf(model, command.percent);
      return isPlaced(model) && amount <= refundable(model) ? { ...model, refunded: model.refunded + amount } : null;
    }
    case 'cancel':
    case 'call_off':
      return cancel(model, command.do === 'call_off');
    case 'cancel_units':
      return cancelUnits(model, command.units, { all: undoAll, some: undoUnits });
    case 'keep_units':
      return cancelUnits(model, command.units, { all: keepUnits, some: keepUnits });
    case 'prepare':
    case 'ship':
    case 'pickup':
    case 'move':
      return send(model, command);
  }
}

type Placing = Extract<Command, { do: 'place' }>;

/** Another payment is asked for than the one that waits, and that one is found to have gone through. */
export function comesTooLate({ order, bank, token, capture }: Model, asked: Placing): boolean {
  const isOther = order === 'pending' && (token !== asked.token || capture !== asked.capture);
  return isOther && (bank === 'unasked' || bank === 'approved');
}

function place(model: Model, asked: Placing): Model | null {
  const { token, capture } = asked;
  const isAskedAgain = model.token === token && model.capture === capture;
  if (model.order === 'pending' && (isAskedAgain || comesTooLate(model, asked)))
    return model.bank === 'unasked' ? paid(model) : learn(model);
  if (model.order !== 'none' && model.order !== 'failed' && model.order !== 'pending') return null;
  const placed: Model = { ...start(model.total, model.line), order: 'pending', token, capture };
  if (token === 'tok_ok') return paid(placed);
  if (token === 'tok_declined') return { ...placed, order: 'failed' };
  return token === 'tok_error' ? placed : { ...placed, bank: 'waits' };
}

export const shareOf = (model: Model, percent: number): number =>
  Math.max(1, Math.floor((model.total * percent) / 100));

/** Staff end a payment that its order waits for; where the provider does not know of it, that stays in doubt. */
function giveUp(model: Model): Model | null {
  if (model.bank === 'waits') return { ...model, bank: 'refused', order: 'failed' };
  return model.bank === 'unasked' ? null : learn(model);
}

export const isInDoubt = ({ order, bank }: Model, command: Command): boolean =>
  command.do === 'void' && order === 'pending' && bank === 'unasked';

const movesOf = (model: Model) => PAYMENT_MOVES.provider[moneyOf(model)];

function move(model: Model, command: Extract<Command, { do: 'capture' | 'refund' | 'void' }>): Model | null {
  if (command.do === 'void' && model.order === 'pending') return giveUp(model);
  if (!movesOf(model).includes(command.do)) return null;
  if (command.do === 'void') return { ...model, isVoid: true };
  const amount = shareOf(model, command.percent);
  if (command.do === 'capture')
    return amount <= Math.min(model.authorized, model.total - model.waived) ? { ...model, captured: amount } : null;
  return amount <= model.captured - model.refunded ? { ...model, refunded: model.refunded + amount } : null;
}

/** What a refusal has to say where the state does not have the move; null where it is refused for what it asks for. */
export function refusalOf(model: Model, command: Command): { from: string; legal: readonly string[] } | null {
  const { order, packages } = model;
  const ofOrder = order === 'none' ? null : { from: order, legal: ORDER_MOVES[order] };
  switch (command.do) {
    case 'capture':
    case 'void':
    case 'refund': {
      const legal = movesOf(model);
      return isInDoubt(model, command) || legal.includes(command.do) ? null : { from: moneyOf(model), legal };
    }
    case 'refund_units':
    case 'refund_amount': {
      if (!isPlaced(model)) return ofOrder;
      const isRefused =
        command.do === 'refund_amount' ||
        (worth(model, command.units) > 0 && command.units <= UNITS - model.settledUnits);
      return isRefused && refundable(model) === 0 ? { from: moneyOf(model), legal: movesOf(model) } : null;
    }
    case 'call_off':
      return ofOrder && (order === 'confirmed' ? { ...ofOrder, legal: [] } : ofOrder);
    case 'cancel':
      if (order !== 'confirmed' || !ofOrder) return ofOrder;
      return { ...ofOrder, legal: ofOrder.legal.filter((each) => each !== 'canceled') };
    case 'prepare':
    case 'ship':
    case 'pickup':
    case 'cancel_units':
    case 'keep_units':
      return order === 'confirmed' ? null : ofOrder;
    case 'move': {
      const chosen = packages[command.pick % Math.max(1, packages.length)];
      const legal = legalFor(chosen);
      return chosen === undefined || legal.includes(command.to) ? null : { from: chosen.status, legal };
    }
    case 'place':
    case 'authenticate':
    case 'webhooks':
    case 'tick':
      return null;
  }
}

const isPlaced = ({ order }: Model): boolean => ['confirmed', 'completed', 'canceled'].includes(order);

const freeUnits = (model: Model): number =>
  UNITS - model.canceled - unitsIn(model, 'pending', 'shipped', 'ready_for_pickup', 'delivered');

const legalFor = (of: Package | undefined): readonly string[] =>
  of ? (FULFILLMENT_MOVES[of.method][of.status] ?? []) : [];

/** Its buyer only before anybody has begun to send it. */
function cancel(model: Model, byBuyer: boolean): Model | null {
  const begun = unitsIn(model, 'shipped', 'delivered') + (byBuyer ? unitsIn(model, 'pending', 'ready_for_pickup') : 0);
  if (model.order !== 'confirmed' || begun > 0) return null;
  const packages = model.packages.map((each): Package => ({ ...each, status: 'canceled' }));
  return { ...undoAll(model), order: 'canceled', canceled: UNITS, packages };
}

/** What becomes of the money, of canceled units that are the last ones or not. */
interface Settling {
  all: (model: Model, units: number) => Model;
  some: (model: Model, units: number) => Model;
}

function cancelUnits(model: Model, units: number, settle: Settling): Model | null {
  if (model.order !== 'confirmed' || units > freeUnits(model)) return null;
  const canceled = model.canceled + units;
  if (canceled === UNITS) return { ...settle.all(model, units), order: 'canceled', canceled };
  return ended({ ...settle.some(model, units), canceled });
}

/** Complete once all that is left of it has arrived. */
function ended(model: Model): Model {
  return unitsIn(model, 'delivered') === UNITS - model.canceled ? { ...model, order: 'completed' } : model;
}

type Sending = Extract<Command, { do: 'prepare' | 'ship' | 'pickup' | 'move' }>;

export const SENT_AS = {
  prepare: { method: 'shipment', status: 'pending' },
  ship: { method: 'shipment', status: 'shipped' },
  pickup: { method: 'pickup', status: 'ready_for_pickup' },
} as const;

function send(model: Model, command: Sending): Model | null {
  const { packages } = model;
  if (command.do !== 'move') {
    if (model.order !== 'confirmed' || command.units > freeUnits(model)) return null;
    return { ...model, packages: [...packages, { units: command.units, ...SENT_AS[command.do] }] };
  }
  const at = command.pick % Math.max(1, packages.length);
  const chosen = packages[at];
  if (!chosen || !legalFor(chosen).includes(command.to)) return null;
  return ended({ ...model, packages: packages.with(at, { ...chosen, status: command.to }) });
}
