import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createSku, type Json, readyCart, type Reply } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { runTick } from '../support/tick.ts';
import {
  comesTooLate,
  type Command,
  isInDoubt,
  type Model,
  next,
  refusalOf,
  SENT_AS,
  shareOf,
  start,
  STOCK,
  visible,
} from './model.ts';
import { UNITS } from './money.ts';
import { walkSeed } from './seed.ts';

const WALKS = process.env['TEST_DEEP'] === '1' ? 10_000 : 300;
const LANES = 3;
const STEPS_MAX = 12;
const DEEP_MS = 3 * 60 * 60_000;

interface Lane {
  stack: Stack;
  token: string;
}

const lanes: Lane[] = [];
beforeAll(async () => {
  for (let lane = 0; lane < LANES; lane += 1) {
    const stack = await startStack({
      env: { LOG_LEVEL: 'fatal', JWT_ACCESS_TTL: '86400', METRICS_FLUSH_SECONDS: '1' },
    });
    stack.provider.setWebhookMode('hold');
    lanes.push({ stack, token: (await createStaff(stack, 'owner')).token });
  }
});
afterAll(async () => {
  for (const { stack } of lanes) await stack.close();
});

const percent = fc.constantFrom(10, 40, 60, 100);
const units = fc.constantFrom(1, 2, UNITS, UNITS);
const placing = fc.record({
  do: fc.constant('place' as const),
  token: fc.constantFrom('tok_ok', 'tok_ok', 'tok_declined', 'tok_requires_action', 'tok_error'),
  capture: fc.constantFrom('automatic', 'manual'),
}) as fc.Arbitrary<Command>;
const commandOf: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: placing },
  fc.record({ do: fc.constant('authenticate' as const), outcome: fc.constantFrom('success', 'failure') }),
  fc.record({ do: fc.constant('webhooks' as const), reverse: fc.boolean() }),
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('capture', 'refund'), percent }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('void', 'cancel', 'call_off', 'tick') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('prepare', 'ship', 'pickup'), units }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('cancel_units', 'keep_units', 'refund_units'),
      units: fc.constantFrom(1, 1, 2),
    }),
  },
  fc.record({ do: fc.constant('refund_amount' as const), percent }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      pick: fc.nat(5),
      to: fc.constantFrom('shipped', 'ready_for_pickup', 'delivered', 'delivered', 'canceled'),
    }),
  },
);

/** One buyer with one cart, as the shop has it. */
interface Walker extends Lane {
  cartId: string;
  skuId: string;
}

async function walkerOf(lane: Lane): Promise<{ walker: Walker; total: number; line: number }> {
  const sku = await createSku(lane.stack, { stock: STOCK, price: 1234 });
  const cart = await readyCart(lane.stack, [{ sku_id: sku.id, quantity: UNITS }]);
  return { walker: { ...lane, cartId: cart.id, skuId: sku.id }, total: cart.total, line: cart.items[0].total };
}

/** Of the newest order of the cart. */
async function idsOf({ stack, cartId }: Walker): Promise<Json> {
  const { rows } = await stack.owner.query(
    `select o.id as order_id, p.id as payment_id, p.next_action ->> 'url' as url,
       (select array_agg(i.id) from order_items i where i.order_id = o.id) as items,
       (select array_agg(f.id order by f.created_at, f.id) from fulfillments f where f.order_id = o.id) as fulfillments
     from orders o join payments p on p.order_id = o.id where o.cart_id = $1 order by o.created_at desc, o.id desc limit 1`,
    [cartId],
  );
  return rows[0] ?? null;
}

/** As a guest holds it, by whatever way they came to it. */
function orderToken({ bindings }: Stack, orderId: string): string {
  return createHmac('sha256', bindings['ORDER_TOKEN_SECRET'] ?? '')
    .update(`order:${orderId}`)
    .digest('base64url');
}

/** What the shop does; null where a command meets nothing that could take it. */
async function perform(walker: Walker, model: Model, command: Command): Promise<Reply | null> {
  const { stack, token } = walker;
  const ids = await idsOf(walker);
  const byStaff = (path: string, body: Json) => call(stack, 'POST', `/admin${path}`, body, { token });
  switch (command.do) {
    case 'place': {
      const payment = { provider: 'test', token: command.token, capture: command.capture };
      return await call(stack, 'POST', '/orders', { cart_id: walker.cartId, payment });
    }
    case 'authenticate':
      if (model.bank === 'waits')
        await fetch(ids.url, { method: 'POST', body: new URLSearchParams({ outcome: command.outcome }) });
      return null;
    case 'webhooks':
      stack.provider.setWebhookMode(command.reverse ? 'reverse' : 'hold');
      await stack.provider.flushWebhooks();
      stack.provider.setWebhookMode('hold');
      return null;
    case 'tick':
      // Only its own: a tick takes at most so many, and what earlier walks left waits for its buyers as in a shop.
      await stack.owner.query(
        `update orders set lease_until = now() - interval '1 day' where status = 'pending' and cart_id = $1`,
        [walker.cartId],
      );
      await runTick(stack);
      return null;
    case 'capture':
    case 'refund':
      if (!ids) return null;
      return await byStaff(`/payments/${ids.payment_id}/${command.do}`, { amount: shareOf(model, command.percent) });
    case 'void':
      return ids && (await byStaff(`/payments/${ids.payment_id}/void`, {}));
    case 'cancel':
      return ids && (await byStaff(`/orders/${ids.order_id}/cancel`, { reason: 'other' }));
    case 'call_off': {
      if (!ids) return null;
      const headers = { 'x-order-token': orderToken(stack, ids.order_id) };
      return await call(stack, 'POST', `/orders/${ids.order_id}/cancel`, {}, { headers });
    }
    case 'cancel_units':
    case 'keep_units':
    case 'refund_units': {
      if (!ids) return null;
      const items = [{ item_id: ids.items[0], quantity: command.units }];
      if (command.do === 'refund_units') return await byStaff(`/orders/${ids.order_id}/refunds`, { items });
      const refund = command.do === 'cancel_units';
      return await byStaff(`/orders/${ids.order_id}/cancel`, { reason: 'other', items, refund });
    }
    case 'refund_amount':
      return ids && (await byStaff(`/orders/${ids.order_id}/refunds`, { amount: shareOf(model, command.percent) }));
    case 'prepare':
    case 'ship':
    case 'pickup': {
      if (!ids) return null;
      const items = [{ item_id: ids.items[0], quantity: command.units }];
      return await byStaff(`/orders/${ids.order_id}/fulfillments`, { ...SENT_AS[command.do], items });
    }
    case 'move': {
      const id = ids?.fulfillments?.[command.pick % ids.fulfillments.length];
      if (!id) return null;
      const headers = { 'if-match': '*' };
      const path = `/admin/orders/${ids.order_id}/fulfillments/${id}`;
      return await call(stack, 'PATCH', path, { status: command.to }, { token, headers });
    }
  }
}

/** What anybody can see of it: through the door of staff, in the stock, and at the provider. */
async function seen({ stack, token, cartId, skuId }: Walker) {
  const { rows } = await stack.owner.query(
    `select l.on_hand, l.reserved, (select o.id from orders o where o.cart_id = $2 order by o.created_at desc, o.id desc limit 1) as id
     from stock_levels l where l.sku_id = $1`,
    [skuId, cartId],
  );
  const { on_hand, reserved, id } = rows[0];
  if (id === null)
    return {
      status: 'none',
      fulfillment_status: 'unfulfilled',
      payment_status: 'pending',
      captured: 0,
      refunded: 0,
      on_hand,
      reserved,
    };
  const { body } = await call(stack, 'GET', `/admin/orders/${id}`, undefined, { token });
  const { status, fulfillment_status, payment_status, payments } = body;
  const { captured_amount: captured, refunded_amount: refunded } = payments[0];
  return { status, fulfillment_status, payment_status, captured, refunded, on_hand, reserved };
}

/** The provider has what the shop says, but for what it has not been told yet. */
async function expectProviderAgrees(walker: Walker, model: Model): Promise<void> {
  const ids = await idsOf(walker);
  const charge = walker.stack.provider.charges().find(({ order_id }) => order_id === ids?.order_id);
  if (model.order === 'pending' || model.order === 'none') return;
  expect({ captured: charge?.captured ?? 0, refunded: charge?.refunded ?? 0 }).toEqual({
    captured: model.captured,
    refunded: model.refunded,
  });
}

/** How often a step ended in each state, and how often each command was refused for one. */
const reached = new Map<string, number>();
const refused = new Map<string, number>();

/** A move that the state does not have is refused with the state and the moves that it has, and with nothing else. */
function expectRefusal(reply: Reply, model: Model, command: Command): void {
  expect(isInDoubt(model, command) ? [503] : [409, 422], reply.text).toContain(reply.status);
  const refusal = refusalOf(model, command);
  const isIllegal = reply.body.code === 'illegal_transition';
  if (refusal === null && !isIllegal) return;
  expect(reply.body, reply.text).toMatchObject({ code: 'illegal_transition', ...refusal });
  expect(refusal, reply.text).not.toBeNull();
  refused.set(command.do, (refused.get(command.do) ?? 0) + 1);
}

function expectAnswer(reply: Reply | null, model: Model, after: Model | null, command: Command): void {
  if (reply === null) return;
  if (command.do === 'place' && after) {
    const wanted = after.order === 'failed' ? 402 : after.order === 'pending' && after.bank === 'unasked' ? 503 : 201;
    expect(reply.status, reply.text).toBe(comesTooLate(model, command) ? 409 : wanted);
  } else if (after) expect(reply.status, reply.text).toBeLessThan(300);
  else expectRefusal(reply, model, command);
}

/** So rare among few walks that one run in a thousand has none. */
const DELIVERED: Command[] = [
  { do: 'place', token: 'tok_ok', capture: 'automatic' },
  { do: 'ship', units: UNITS },
  { do: 'move', pick: 0, to: 'delivered' },
];
let walked = 0;

/** A line now and then: ten thousand take an hour, and what was recorded of them all would not fit into memory. */
function progress({ stack }: Lane): void {
  for (const proxy of [stack.neon, stack.redis, stack.payments, stack.mail]) proxy.clear();
  walked += 1;
  if (walked % 500 === 0) console.log(`${walked} of ${WALKS} walks`);
}

async function walk(lane: Lane, commands: readonly Command[]): Promise<void> {
  const { walker, total, line } = await walkerOf(lane);
  let model = start(total, line);
  for (const command of commands) {
    const after = next(model, command);
    expectAnswer(await perform(walker, model, command), model, after, command);
    model = after ?? model;
    expect(await seen(walker), JSON.stringify(command)).toEqual(visible(model));
    await expectProviderAgrees(walker, model);
    const { status, payment_status, fulfillment_status } = visible(model);
    for (const state of [`order ${status}`, `payment ${payment_status}`, `goods ${fulfillment_status}`])
      reached.set(state, (reached.get(state) ?? 0) + 1);
  }
}

test(
  `${WALKS} walks of at most ${STEPS_MAX} steps through HTTP and the database: the shop is as its model after each`,
  { timeout: process.env['TEST_DEEP'] === '1' ? DEEP_MS : 600_000 },
  async () => {
    const seed = walkSeed('orders');
    const later = fc.array(commandOf, { maxLength: STEPS_MAX - 1, size: 'max' });
    const commands = fc.tuple(placing, later).map(([first, rest]) => [first, ...rest]);
    await Promise.all(
      lanes.map((lane, at) =>
        fc.assert(
          fc.asyncProperty(commands, (steps) => walk(lane, steps).then(() => progress(lane))),
          { numRuns: Math.ceil(WALKS / LANES), seed: seed + at, examples: at === 0 ? [[DELIVERED]] : [] },
        ),
      ),
    );
    console.log([...reached].map(([state, times]) => `${state}: ${times}`).join(', '));
    for (const status of ['pending', 'confirmed', 'completed', 'failed', 'canceled'])
      expect([...reached.keys()]).toContain(`order ${status}`);
    for (const progress of ['partially_fulfilled', 'fulfilled', 'delivered'])
      expect([...reached.keys()]).toContain(`goods ${progress}`);
    console.log(`refused: ${[...refused].map(([command, times]) => `${command} ${times}`).join(', ')}`);
    for (const command of ['capture', 'void', 'refund', 'cancel', 'move'])
      expect(refused.get(command)).toBeGreaterThan(0);
  },
);
