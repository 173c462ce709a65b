import { FULFILLMENT_MOVES } from '../../src/domains/fulfillment/rules.ts';
import { ORDER_MOVES } from '../../src/domains/orders/rules/status.ts';
import { PAYMENT_MOVES, type PaymentStatus } from '../../src/domains/payments/rules.ts';

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
  | { do: 'cancel' | 'tick' }
  | { do: 'prepare' | 'ship'; units: number }
  | { do: 'move'; pick: number; to: 'shipped' | 'delivered' | 'canceled' };

export const UNITS = 3;
export const STOCK = 10;

interface Package {
  units: number;
  status: 'pending' | 'shipped' | 'delivered' | 'canceled';
}

/** All that is true of one buyer's order. Amounts in minor units. */
export interface Model {
  order: 'none' | 'pending' | 'confirmed' | 'completed' | 'failed' | 'canceled';
  total: number;
  /** What the buyer's bank knows. */
  bank: 'unasked' | 'waits' | 'approved' | 'refused';
  token: string;
  capture: 'automatic' | 'manual';
  authorized: number;
  captured: number;
  refunded: number;
  isVoid: boolean;
  /** Nothing more is to be taken. */
  isWaived: boolean;
  packages: Package[];
}

export const start = (total: number): Model => ({
  order: 'none',
  total,
  bank: 'unasked',
  token: '',
  capture: 'automatic',
  authorized: 0,
  captured: 0,
  refunded: 0,
  isVoid: false,
  isWaived: false,
  packages: [],
});

const unitsIn = ({ packages }: Model, ...statuses: Package['status'][]): number =>
  packages.filter(({ status }) => statuses.includes(status)).reduce((sum, { units }) => sum + units, 0);

/** What has to be seen of the order, its money and its stock. */
export function visible(model: Model) {
  const gone = unitsIn(model, 'shipped', 'delivered');
  const promised = ['pending', 'confirmed', 'completed'].includes(model.order) ? UNITS - gone : 0;
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
  if (unitsIn(model, 'delivered') === UNITS) return 'delivered';
  if (gone === UNITS) return 'fulfilled';
  return gone > 0 ? 'partially_fulfilled' : 'unfulfilled';
}

function moneyOf(model: Model): PaymentStatus {
  const { order, bank, total, authorized, captured, refunded, isVoid, isWaived } = model;
  if (refunded > 0) return refunded < captured ? 'partially_refunded' : 'refunded';
  if (captured > 0) return captured < total && !isWaived ? 'partially_captured' : 'captured';
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
    case 'cancel':
      return cancel(model);
    case 'prepare':
    case 'ship':
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
  const placed: Model = { ...start(model.total), order: 'pending', token, capture };
  if (token === 'tok_ok') return paid(placed);
  if (token === 'tok_declined') return { ...placed, order: 'failed' };
  return token === 'tok_error' ? placed : { ...placed, bank: 'waits' };
}

export const shareOf = (model: Model, percent: number): number =>
  Math.max(1, Math.floor((model.total * percent) / 100));

const movesOf = (model: Model) => PAYMENT_MOVES.provider[moneyOf(model)];

function move(model: Model, command: Extract<Command, { percent: number } | { do: 'void' }>): Model | null {
  if (!movesOf(model).includes(command.do)) return null;
  if (command.do === 'void') return { ...model, isVoid: true };
  const amount = shareOf(model, command.percent);
  if (command.do === 'capture') return amount <= model.authorized ? { ...model, captured: amount } : null;
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
      return legal.includes(command.do) ? null : { from: moneyOf(model), legal };
    }
    case 'cancel':
      if (order !== 'confirmed' || !ofOrder) return ofOrder;
      return { ...ofOrder, legal: ofOrder.legal.filter((each) => each !== 'canceled') };
    case 'prepare':
    case 'ship':
      return order === 'confirmed' ? null : ofOrder;
    case 'move': {
      const from = packages[command.pick % Math.max(1, packages.length)]?.status;
      const legal: readonly string[] = from === undefined ? [] : (FULFILLMENT_MOVES.shipment[from] ?? []);
      return from === undefined || legal.includes(command.to) ? null : { from, legal };
    }
    case 'place':
    case 'authenticate':
    case 'webhooks':
    case 'tick':
      return null;
  }
}

function cancel(model: Model): Model | null {
  if (model.order !== 'confirmed' || unitsIn(model, 'shipped', 'delivered') > 0) return null;
  return {
    ...model,
    order: 'canceled',
    isWaived: true,
    isVoid: model.isVoid || (model.authorized > 0 && model.captured === 0),
    refunded: model.captured,
    packages: model.packages.map((each) => (each.status === 'pending' ? { ...each, status: 'canceled' } : each)),
  };
}

function send(model: Model, command: Extract<Command, { do: 'prepare' | 'ship' | 'move' }>): Model | null {
  const { packages } = model;
  if (command.do !== 'move') {
    const isFree = command.units <= UNITS - unitsIn(model, 'pending', 'shipped', 'delivered');
    if (model.order !== 'confirmed' || !isFree) return null;
    const status = command.do === 'ship' ? 'shipped' : 'pending';
    return { ...model, packages: [...packages, { units: command.units, status }] };
  }
  const at = command.pick % Math.max(1, packages.length);
  const chosen = packages[at];
  const legal: readonly string[] = chosen ? (FULFILLMENT_MOVES.shipment[chosen.status] ?? []) : [];
  if (!chosen || !legal.includes(command.to)) return null;
  const moved = { ...model, packages: packages.with(at, { ...chosen, status: command.to }) };
  return unitsIn(moved, 'delivered') === UNITS ? { ...moved, order: 'completed' } : moved;
}
