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

function moneyOf(model: Model): string {
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

function place(model: Model, { token, capture }: Extract<Command, { do: 'place' }>): Model | null {
  if (model.order === 'pending') return model.bank === 'unasked' ? paid(model) : learn(model);
  if (model.order !== 'none' && model.order !== 'failed') return null;
  const placed: Model = { ...start(model.total), order: 'pending', capture };
  if (token === 'tok_ok') return paid(placed);
  if (token === 'tok_declined') return { ...placed, order: 'failed' };
  return token === 'tok_error' ? placed : { ...placed, bank: 'waits' };
}

export const shareOf = (model: Model, percent: number): number =>
  Math.max(1, Math.floor((model.total * percent) / 100));

function move(model: Model, command: Extract<Command, { percent: number } | { do: 'void' }>): Model | null {
  const isUntaken = model.authorized > 0 && model.captured === 0 && !model.isVoid;
  if (command.do === 'void') return isUntaken ? { ...model, isVoid: true } : null;
  const amount = shareOf(model, command.percent);
  if (command.do === 'capture') return isUntaken && amount <= model.authorized ? { ...model, captured: amount } : null;
  return amount <= model.captured - model.refunded ? { ...model, refunded: model.refunded + amount } : null;
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
  const legal = { pending: ['shipped', 'canceled'], shipped: ['delivered'], delivered: [], canceled: [] };
  if (!chosen || !(legal[chosen.status] as string[]).includes(command.to)) return null;
  const moved = { ...model, packages: packages.with(at, { ...chosen, status: command.to }) };
  return unitsIn(moved, 'delivered') === UNITS ? { ...moved, order: 'completed' } : moved;
}
