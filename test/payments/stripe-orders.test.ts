import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { Stripe } from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDeps, createRuntime } from '../../src/deps.ts';
import { applyStoredWebhooks, receiveWebhook } from '../../src/domains/checkout/webhook.ts';
import type { Deps } from '../../src/platform/deps.ts';
import { pgDb } from '../support/pg-db.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { placePaid, untilNextLook, type Payment } from './fixture.ts';
import { eventsOf, intentId, intentOf, refundOf, type Life } from './stripe-shapes.ts';

const SECRET = 'whsec_of_this_file_alone';
const REFUNDED = 300;
const AT_ONCE = 4;
/** A minute for all 720 on an idle machine. */
const TIMEOUT_MS = 600_000;
const EVENTS = 6;

let stack: Stack;
let stripe: Server;
let pool: pg.Pool;
let deps: Deps;
let template: Payment;
/** What Stripe knows: all of a life from its start, or no more than the latest of what it has told. */
type Reality = 'over' | 'as told';
const lives = new Map<string, { life: Life; reality: Reality; latest: number }>();
const delivered = new Map<string, object>();
beforeAll(async () => {
  stack = await startStack({ stripe: true });
  stack.provider.setWebhookMode('hold');
  template = await placePaid(stack, { provider: 'stripe', token: 'pm_card_visa', capture: 'manual' });
  stripe = await startStripe();
  pool = new pg.Pool({ connectionString: stack.bindings['DATABASE_URL'] ?? '', max: AT_ONCE });
  const runtime = createRuntime({
    ...stack.bindings,
    LOG_LEVEL: 'error',
    STRIPE_API_BASE: `http://127.0.0.1:${(stripe.address() as AddressInfo).port}`,
    STRIPE_WEBHOOK_SECRET: SECRET,
  });
  deps = { ...createDeps(runtime, { db: 0, redis: 0, provider: 0 }, []), db: pgDb(pool) };
});
afterAll(async () => {
  await pool?.end();
  await new Promise((resolve) => stripe.close(resolve).closeAllConnections());
  await stack.close();
});

/** The payment, or its refunds, as far as its life has come. */
function answerOf(url: URL): object | undefined {
  const event = delivered.get(url.pathname.replace('/v1/events/', ''));
  if (event) return event;
  const [, intent = url.searchParams.get('payment_intent') ?? ''] =
    /^\/v1\/payment_intents\/([^/]+)$/.exec(url.pathname) ?? [];
  const known = lives.get(intent);
  if (!known) return undefined;
  const { life, reality, latest } = known;
  const has = (event: number) => reality === 'over' || latest >= event;
  if (url.pathname !== '/v1/refunds') return intentOf(life, has(1) ? 'succeeded' : 'requires_capture');
  return { object: 'list', data: has(2) ? [refundOf(life)] : [], has_more: false, url: '/v1/refunds' };
}

async function startStripe(): Promise<Server> {
  const server = createServer((request, response) => {
    const body = answerOf(new URL(request.url ?? '/', 'http://stripe'));
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function permutations<Item>(items: readonly Item[]): Item[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) =>
    permutations(items.filter((_, other) => other !== index)).map((rest) => [item, ...rest]),
  );
}

/**
 * Orders with a payment each, made after the one that went through the door: every second is authorized, the others have
 * not learned of it yet, and nobody works on them. Of these every second does not know yet what Stripe calls its payment.
 */
async function ordered(count: number, reality: Reality): Promise<Life[]> {
  const { rows } = await stack.owner.query<{ id: string; suffix: string }>(
    `with made as (
       select gen_random_uuid() as order_id, gen_random_uuid() as payment_id, gen_random_uuid()::text as cart_id,
         replace(gen_random_uuid()::text, '-', '') as suffix, nr % 2 = 0 as is_pending,
         nr % 4 <> 0 as is_named
       from generate_series(1, $2) as nr
     ), carted as (
       insert into carts select (jsonb_populate_record(c, jsonb_build_object('id', m.cart_id))).*
       from made m, carts c join orders o on o.cart_id = c.id where o.id = $1
     ), ordered as (
       insert into orders select (jsonb_populate_record(o,
         jsonb_build_object('id', m.order_id, 'number', m.suffix, 'cart_id', m.cart_id,
           'lease_until', now() - interval '1 minute')
         || case when m.is_pending then '{"status": "pending", "placed_at": null}' else '{}'::jsonb end)).*
       from made m, orders o where o.id = $1
     ), paid as (
       insert into payments select (jsonb_populate_record(p,
         jsonb_build_object('id', m.payment_id, 'order_id', m.order_id, 'provider_reference', case when m.is_named then 'pi_' || m.suffix end))).*
       from made m, payments p where p.order_id = $1
     ), ledger as (
       insert into payment_transactions select (jsonb_populate_record(t,
         jsonb_build_object('id', gen_random_uuid(), 'payment_id', m.payment_id))).*
       from made m, payment_transactions t join payments p on p.id = t.payment_id
       where p.order_id = $1 and (t.outcome = 'request' or not m.is_pending)
     )
     select payment_id as id, suffix from made`,
    [template.orderId, count],
  );
  const made = rows.map(({ id, suffix }) => ({ paymentId: id, suffix, amount: template.total, refunded: REFUNDED }));
  for (const life of made) lives.set(intentId(life), { life, reality, latest: -1 });
  return made;
}

const { webhooks } = new Stripe('sk_test_of_this_file');

async function deliver(event: { id: string }): Promise<void> {
  delivered.set(event.id, event);
  const payload = JSON.stringify(event);
  const signature = webhooks.generateTestHeaderString({ payload, secret: SECRET });
  await receiveWebhook(deps, 'stripe', new Headers({ 'stripe-signature': signature }), payload);
}

type Told = { life: Life; order: readonly number[] };

/** Each payment is told its events in these orders, a few payments at a time. */
async function tellAll(all: readonly Told[], newId = (id: string) => id): Promise<void> {
  const waiting = [...all];
  const teller = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const six = eventsOf(next.life);
      const known = lives.get(intentId(next.life));
      for (const index of next.order) {
        const event = six[index];
        if (!event || !known) throw new Error(`no event ${index}`);
        known.latest = Math.max(known.latest, index);
        await deliver({ ...event, id: newId(event.id) });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, teller));
  await lookAgain();
}

/** Nobody knew whose the dispute was that was told before anything that names the payment: its turn comes again. */
async function lookAgain(): Promise<void> {
  do await untilNextLook(stack);
  while ((await applyStoredWebhooks(deps)) > 0);
  const { rows } = await stack.owner.query('select type from payment_webhook_events where applied_at is null');
  expect(rows).toEqual([]);
}

/** A payment of its own for each order. */
async function inOrders(orders: readonly (readonly number[])[], reality: Reality): Promise<Told[]> {
  const lived = await ordered(orders.length, reality);
  return lived.map((life, index) => ({ life, order: orders[index] ?? [] }));
}

/** The ledgers of these payments as text without ids, each different one once, with how many payments have it. */
async function ledgersOf(told: readonly Told[]): Promise<{ ledger: string; payments: number }[]> {
  const { rows } = await stack.owner.query(
    `select ledger, count(*)::int as payments from (
       select string_agg(format('%s %s %s', kind, outcome, amount), ', ' order by kind, outcome, amount) as ledger
       from payment_transactions where payment_id = any($1::uuid[]) group by payment_id) each
     group by ledger`,
    [told.map(({ life }) => life.paymentId)],
  );
  return rows;
}

async function balancesOf(told: readonly Told[]): Promise<object[]> {
  const { rows } = await stack.owner.query(
    `select distinct authorized::int, captured::int, refunded::int, charged_back::int, voided
     from payment_balances where payment_id = any($1::uuid[])`,
    [told.map(({ life }) => life.paymentId)],
  );
  return rows;
}

async function statusesOf(told: readonly Told[]): Promise<string[]> {
  const { rows } = await stack.owner.query(
    `select distinct o.status from orders o join payments p on p.order_id = o.id where p.id = any($1::uuid[])`,
    [told.map(({ life }) => life.paymentId)],
  );
  return rows.map(({ status }) => status);
}

async function expectOneState(told: readonly Told[]): Promise<void> {
  expect(await statusesOf(told)).toEqual(['confirmed']);
  const { total } = template;
  const ledger = [
    `authorize request ${total}`,
    `authorize success ${total}`,
    `capture success ${total}`,
    `chargeback failure ${total}`,
    `chargeback success ${total}`,
    `refund success ${REFUNDED}`,
  ].join(', ');
  expect(await ledgersOf(told)).toEqual([{ ledger, payments: told.length }]);
  expect(await balancesOf(told)).toEqual([
    { authorized: total, captured: total, refunded: REFUNDED, charged_back: 0, voided: false },
  ]);
}

const ORDERS = permutations(Array.from({ length: EVENTS }, (_, index) => index));
const isDeep = process.env['TEST_DEEP'] === '1';
/** All of them in a long run, else each so many-th; half of them begin pending, whichever these are. */
const some = <Item>(all: readonly Item[], each: number): Item[] =>
  all.filter((_, index) => isDeep || index % each === 0);

describe('six events of Stripe, each delivery verified, applied and written by the real SQL, come to one ledger', () => {
  test(
    'in all 720 orders, each event delivered twice; and when all come again, backwards, under other ids',
    { timeout: TIMEOUT_MS },
    async () => {
      const told = await inOrders(ORDERS, 'as told');
      expect(told).toHaveLength(720);
      await tellAll(told.map(({ life, order }) => ({ life, order: order.flatMap((index) => [index, index]) })));
      await expectOneState(told);
      const again = told.map(({ life, order }) => ({ life, order: order.toReversed() }));
      await tellAll(again, (id) => `${id}_again`);
      await expectOneState(told);
    },
  );

  test('when all of it is over before the first is told', { timeout: TIMEOUT_MS }, async () => {
    const told = await inOrders(some(ORDERS, 11), 'over');
    expect(told.length).toBeGreaterThan(60);
    await tellAll(told);
    await expectOneState(told);
  });

  test.each(['over', 'as told'] as const)(
    'when each is told twice in a row, the second time under another id: %s',
    { timeout: TIMEOUT_MS },
    async (reality) => {
      const told = await inOrders(
        some(ORDERS, 47).map((order) => order.flatMap((index) => [index, index])),
        reality,
      );
      let count = 0;
      await tellAll(told, (id) => `${id}_${(count += 1)}`);
      expect(count).toBe(2 * EVENTS * told.length);
      await expectOneState(told);
    },
  );
});
