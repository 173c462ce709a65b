import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FULFILLMENT_MOVES, fulfillmentMoves, hasLeft } from '../../../src/domains/fulfillment/rules.ts';
import { planCancel } from '../../../src/domains/orders/rules/cancel.ts';
import { planFulfillment, planMove } from '../../../src/domains/orders/rules/fulfill.ts';
import { withheldOf } from '../../../src/domains/orders/rules/money.ts';
import { planRefund } from '../../../src/domains/orders/rules/refund.ts';
import type { OrderState } from '../../../src/domains/orders/rules/state.ts';
import { ORDER_MOVES } from '../../../src/domains/orders/rules/status.ts';
import { AppError } from '../../../src/platform/errors.ts';
import { canceled, fulfilled, order, refunded, type Paid } from './shop.ts';

const WALKS = 10_000;

/** The model: single units, each of which is in one place. */
interface Unit {
  line: string;
  /** `free`, `canceled`, or the fulfillment that it is in. */
  where: string;
}

interface World {
  state: OrderState;
  units: Unit[];
  made: number;
}

interface Step {
  kind: 'prepare' | 'send' | 'move' | 'cancel_lines' | 'cancel' | 'buyer_cancels' | 'refund' | 'capture';
  /** Which of what there is. */
  pick: number;
  count: number;
}

const METHODS = ['shipment', 'pickup', 'digital'] as const;
const pickOf = <T>(from: readonly T[], pick: number): T | undefined => from[pick % Math.max(1, from.length)];

const statusOf = ({ state: { fulfillments } }: World, id: string) =>
  fulfillments.find((each) => each.id === id)?.status;

/** What the order has to say of itself, counted unit by unit. */
function expectedStatuses(world: World) {
  const due = world.units.filter(({ where }) => where !== 'canceled');
  const gone = due.filter(({ where }) => hasLeft(statusOf(world, where) ?? 'pending'));
  const arrived = due.filter(({ where }) => statusOf(world, where) === 'delivered');
  if (due.length === 0) return { status: 'canceled', fulfillment_status: 'canceled' };
  if (arrived.length === due.length) return { status: 'completed', fulfillment_status: 'delivered' };
  const some = gone.length > 0 ? 'partially_fulfilled' : 'unfulfilled';
  return { status: 'confirmed', fulfillment_status: gone.length === due.length ? 'fulfilled' : some };
}

function take(units: Unit[], line: string, count: number, to: string): void {
  const free = units.filter((unit) => unit.line === line && unit.where === 'free').slice(0, count);
  expect(free).toHaveLength(count);
  for (const unit of free) unit.where = to;
}

function fulfill(world: World, { pick, count, kind }: Step): void {
  const method = pickOf(METHODS, count) ?? 'shipment';
  const line = pickOf(world.state.items, pick)?.id ?? '';
  const id = `fulfillment-${(world.made += 1)}`;
  const status = kind === 'send' ? fulfillmentMoves(method, 'pending')[0] : ('pending' as const);
  const items = pick % 3 === 0 ? undefined : [{ item_id: line, quantity: count }];
  const plan = planFulfillment(world.state, { id, method, status, items, locationId: null });
  const changed = { id, version: 1, method, status: plan.status, location_id: null, items: plan.lines };
  world.state = fulfilled(world.state, plan, changed);
  for (const { item_id, quantity } of plan.lines) take(world.units, item_id, quantity, id);
}

function move(world: World, { pick, count }: Step): void {
  const known = pickOf(world.state.fulfillments, pick);
  const to = pickOf(['shipped', 'ready_for_pickup', 'delivered', 'canceled', 'pending'] as const, count);
  if (!known || !to) return;
  const plan = planMove(world.state, { fulfillmentId: known.id, status: to, versions: [known.version] });
  expect(FULFILLMENT_MOVES[known.method][known.status]).toContain(to);
  world.state = fulfilled(world.state, plan, { ...known, version: known.version + 1, status: to });
  if (to !== 'canceled') return;
  for (const unit of world.units) if (unit.where === known.id) unit.where = 'free';
}

function cancel(world: World, { kind, pick, count }: Step): void {
  const line = pickOf(world.state.items, pick)?.id ?? '';
  const items = kind === 'cancel_lines' ? [{ item_id: line, quantity: count }] : undefined;
  const plan = planCancel(world.state, { items, refund: count % 4 !== 0, byBuyer: kind === 'buyer_cancels' });
  world.state = canceled(world.state, plan);
  for (const unit of world.units) if (plan.fulfillmentIds.includes(unit.where)) unit.where = 'free';
  for (const { item_id, quantity } of plan.lines) take(world.units, item_id, quantity, 'canceled');
}

function refund(world: World, { pick, count }: Step): void {
  const line = pickOf(world.state.items, pick)?.id ?? '';
  const plan = planRefund(world.state, {
    ...(pick % 2 === 0 && { items: [{ item_id: line, quantity: count }] }),
    shippingAmount: pick % 3 === 0 ? count : 0,
    amount: pick % 5 === 0 ? count * 7 : 0,
  });
  // Checked under the lock of the payment, as openRequest does.
  const { payment } = world.state;
  if (!payment || plan.amount > payment.captured - payment.refunded)
    throw new AppError('illegal_transition', 'nothing');
  world.state = refunded(world.state, plan);
}

function capture(world: World, { count }: Step): void {
  const { payment } = world.state;
  if (!payment || payment.voided) return;
  const isFirst = payment.captured === 0;
  if (payment.provider !== 'manual' && (!isFirst || payment.authorized === 0)) return;
  const left = payment.amount - payment.waived_amount - payment.captured;
  const captured = payment.captured + (count % 2 === 0 ? left : Math.min(left, count * 50));
  world.state = { ...world.state, payment: { ...payment, captured } };
}

const STEPS: Record<Step['kind'], (world: World, step: Step) => void> = {
  prepare: fulfill,
  send: fulfill,
  move,
  cancel_lines: cancel,
  cancel,
  buyer_cancels: cancel,
  refund,
  capture,
};

/** Of the payment: what the shop has of it or may take still. */
function kept({ payment }: OrderState): number {
  if (!payment) return 0;
  return payment.amount - payment.waived_amount - payment.refunded;
}

/** Only a refund that is asked for touches what was withheld; nothing is held for an order that costs nothing any more. */
function checkWithheld({ state }: World, before: OrderState, kind: Step['kind']): void {
  const withheld = state.items.reduce((sum, item) => sum + withheldOf(item).amount, 0);
  if (kind !== 'refund') expect(kept(state)).toBeGreaterThanOrEqual(Math.min(kept(before), withheld));
  const { payment } = state;
  if (!payment || payment.captured > 0 || payment.waived_amount < payment.amount) return;
  expect(payment.voided).toBe(payment.amount > 0);
}

function checkWorld(world: World, before: OrderState): void {
  const { state } = world;
  expect([before.status, ...ORDER_MOVES[before.status]]).toContain(state.status);
  expect({ status: state.status, fulfillment_status: state.fulfillment_status }).toEqual(expectedStatuses(world));
  for (const item of state.items) {
    const units = world.units.filter(({ line }) => line === item.id);
    expect(item.canceled_quantity).toBe(units.filter(({ where }) => where === 'canceled').length);
    expect(item.fulfilled_quantity).toBe(
      units.filter(({ where }) => hasLeft(statusOf(world, where) ?? 'pending')).length,
    );
    expect(item.fulfilled_quantity + item.canceled_quantity).toBeLessThanOrEqual(item.quantity);
    const withheld = withheldOf(item);
    expect(item.refunded_quantity + item.waived_quantity + withheld.quantity).toBeLessThanOrEqual(item.quantity);
    expect(item.refunded_amount + item.waived_amount + withheld.amount).toBeLessThanOrEqual(item.total);
    expect(item.waived_quantity + item.withheld_quantity).toBeLessThanOrEqual(item.canceled_quantity);
  }
  const { payment } = state;
  if (!payment) return;
  expect(payment.refunded).toBeLessThanOrEqual(payment.captured);
  expect(payment.captured + payment.waived_amount).toBeLessThanOrEqual(payment.amount);
  expect(state.shipping_refunded).toBeLessThanOrEqual(state.shipping_amount);
}

const REFUSALS = new Set(['illegal_transition', 'validation_failed', 'not_found', 'precondition_failed']);

const step = fc.record<Step>({
  kind: fc.constantFrom(...(Object.keys(STEPS) as Step['kind'][])),
  pick: fc.nat({ max: 29 }),
  count: fc.integer({ min: 1, max: 4 }),
});
const world = fc.record({
  lines: fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 1000 })), {
    minLength: 1,
    maxLength: 3,
  }),
  shipping: fc.nat({ max: 20 }),
  paid: fc.constantFrom<Paid>('captured', 'authorized', 'by_hand'),
});

describe('an order, its fulfillments and its money', () => {
  test(`are what the model says after each step of ${WALKS} random walks`, () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(world, fc.array(step, { maxLength: 12 }), ({ lines, shipping, paid }, steps) => {
        const state = order(lines, shipping, paid);
        const units = state.items.flatMap(({ id, quantity }) =>
          Array.from({ length: quantity }, () => ({ line: id, where: 'free' })),
        );
        const walk: World = { state, units, made: 0 };
        for (const each of steps) {
          const before = walk.state;
          try {
            STEPS[each.kind](walk, each);
          } catch (error) {
            if (!(error instanceof AppError) || !REFUSALS.has(error.code)) throw error;
            expect(walk.state).toBe(before);
          }
          checkWorld(walk, before);
          checkWithheld(walk, before, each.kind);
          reached.add(`${walk.state.status} ${walk.state.fulfillment_status}`);
        }
      }),
      { numRuns: WALKS },
    );
    // The walks get everywhere, or they prove little.
    expect([...reached].sort()).toEqual([
      'canceled canceled',
      'completed delivered',
      'confirmed fulfilled',
      'confirmed partially_fulfilled',
      'confirmed unfulfilled',
    ]);
  });

  test.each(['pending', 'failed', 'completed', 'canceled'] as const)('of a %s order no unit moves', (status) => {
    const state: OrderState = { ...order([[1, 100]], 0, 'captured'), status };
    const illegal = expect.objectContaining({
      code: 'illegal_transition',
      options: { members: { from: status, legal: ORDER_MOVES[status] } },
    });
    expect(() => planCancel(state, { refund: true, byBuyer: false })).toThrow(illegal);
    expect(() => planFulfillment(state, { id: 'f', method: 'shipment', locationId: null })).toThrow(illegal);
  });
});
