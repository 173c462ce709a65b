import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { atProvider, CAPTURED, paymentsAs, placePaid, tick, untilNextLook } from './fixture.ts';

let stack: Stack;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  shop = paymentsAs(stack, (await createStaff(stack, ['payments:read'])).token);
});
beforeEach(() => stack.provider.setWebhookMode('hold'));
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

interface Stored {
  event_id: string;
  applied: boolean;
  attempts: number;
  last_error: string | null;
}

async function stored(type: string): Promise<Stored[]> {
  const { rows } = await stack.owner.query(
    `select event_id, applied_at is not null as applied, attempts, last_error from payment_webhook_events
     where type = $1 order by received_at`,
    [type],
  );
  return rows;
}

/** A delivery as the provider would sign it, `ageS` seconds ago. */
function deliver(event: unknown, { ageS = 0, provider = 'test' } = {}): Promise<Response> {
  const body = JSON.stringify(event);
  const time = Math.floor(Date.now() / 1000) - ageS;
  const mac = createHmac('sha256', stack.bindings['PAYMENT_TEST_WEBHOOK_SECRET'] ?? '')
    .update(`${time}.${body}`)
    .digest('hex');
  return stack.fetch(`/api/v1/webhooks/payments/${provider}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'test-signature': `t=${time},v1=${mac}` },
    body,
  });
}

const eventOf = (type: string, object: object) => ({
  id: `evt_${randomUUID()}`,
  object: 'event',
  type,
  data: { object },
});

describe('an event whose names are no names', () => {
  const refunded = eventOf('charge.refunded', { object: 'charge', payment_intent: 'pi_1' });
  test.each([
    ['an id with a NUL', { ...refunded, id: 'evt_\u0000' }],
    ['an id of 7 kB', { ...refunded, id: 'e'.repeat(7_000) }],
    ['a type with a NUL', { ...refunded, type: 'charge.\u0000' }],
    ['a payment with a NUL', eventOf('charge.refunded', { object: 'charge', payment_intent: 'pi_\u0000' })],
    ['a negative amount', eventOf('charge.dispute.created', { id: 'dp_1', object: 'dispute', amount: -1 })],
  ])('is refused, and nothing of it is kept: %s', async (_name, event) => {
    const count = async () =>
      (await stack.owner.query('select count(*)::int as n from payment_webhook_events')).rows[0];
    const before = await count();
    expect((await deliver(event)).status).toBe(401);
    expect(await count()).toEqual(before);
  });
});

describe('a payment that nobody knows here', () => {
  test('its event is kept unapplied and logged, and applied by the tick once the payment is known', async () => {
    const payment = await placePaid(stack, CAPTURED);
    await stack.provider.flushWebhooks();
    await stack.owner.query('update payments set provider_reference = null where id = $1', [payment.id]);
    await atProvider(stack, '/_disputes', { payment_intent: payment.reference ?? '' });
    await stack.provider.flushWebhooks();
    expect(await stored('charge.dispute.created')).toMatchObject([
      { applied: false, attempts: 1, last_error: 'unknown_payment' },
    ]);
    expect(stack.logs().some(({ msg }) => msg === 'webhook of an unknown payment')).toBe(true);
    expect(await shop.get(payment)).toMatchObject({ status: 'captured' });

    await tick(stack);
    expect(await stored('charge.dispute.created')).toMatchObject([{ applied: false, attempts: 1 }]);
    await untilNextLook(stack);
    await tick(stack);
    expect(await stored('charge.dispute.created')).toMatchObject([{ applied: false, attempts: 2 }]);

    await stack.owner.query('update payments set provider_reference = $2 where id = $1', [
      payment.id,
      payment.reference,
    ]);
    await untilNextLook(stack);
    await tick(stack);
    expect(await stored('charge.dispute.created')).toMatchObject([{ applied: true, attempts: 2 }]);
    expect(await shop.get(payment)).toMatchObject({ status: 'charged_back' });
  });

  test('of another provider is not ours, whatever id it names', async () => {
    const payment = await placePaid(stack, CAPTURED);
    await stack.owner.query(`update payments set provider = 'stripe' where id = $1`, [payment.id]);
    const object = { object: 'dispute', id: 'dp_x', status: 'lost', amount: 1, metadata: { payment_id: payment.id } };
    expect((await deliver(eventOf('charge.dispute.closed', object))).status).toBe(204);
    expect(await shop.get(payment)).toMatchObject({ charged_back_amount: 0 });
    expect((await stored('charge.dispute.closed')).at(-1)).toMatchObject({ applied: false });
  });

  test('an event that the provider does not know any more is given up after thirteen looks', async () => {
    const event = eventOf('payment_intent.succeeded', {
      object: 'payment_intent',
      id: 'pi_nobody',
      status: 'succeeded',
    });
    expect((await deliver(event)).status).toBe(204);
    await stack.owner.query('update payment_webhook_events set attempts = 12 where event_id = $1', [event.id]);
    await untilNextLook(stack);
    await tick(stack);
    await untilNextLook(stack);
    stack.payments.clear();
    await tick(stack);
    const last = (await stored('payment_intent.succeeded')).find(({ event_id }) => event_id === event.id);
    expect(last).toMatchObject({ applied: false, attempts: 13, last_error: 'not_found' });
    expect(stack.payments.exchanges.filter(({ path }) => path.includes(event.id))).toEqual([]);
  });
});

describe('deliveries', () => {
  test('while the provider cannot be asked: refused, noted, and applied when it is delivered again', async () => {
    const payment = await placePaid(stack, CAPTURED);
    await stack.provider.flushWebhooks();
    await atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '', amount: '100' });
    stack.payments.inject(({ path }) => path.startsWith('/v1/refunds'), { respond: { status: 500, body: '{}' } });
    await stack.provider.flushWebhooks();
    expect(await stored('charge.refunded')).toMatchObject([
      { applied: true, attempts: 1, last_error: 'payment_in_doubt' },
    ]);
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 100 });
  });

  test('never delivered again: the tick applies it', async () => {
    const payment = await placePaid(stack, CAPTURED);
    await stack.provider.flushWebhooks();
    await atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '', amount: '100' });
    stack.payments.inject(({ path }) => path.startsWith('/v1/refunds'), { respond: { status: 500, body: '{}' } }, 3);
    await stack.provider.flushWebhooks();
    expect((await stored('charge.refunded')).at(-1)).toMatchObject({ applied: false, attempts: 3 });
    await untilNextLook(stack);
    await tick(stack);
    expect((await stored('charge.refunded')).at(-1)).toMatchObject({ applied: true });
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 100 });
  });

  test('an event that is applied asks the provider nothing when it comes again', async () => {
    const payment = await placePaid(stack, CAPTURED);
    await stack.provider.flushWebhooks();
    await atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '', amount: '100' });
    const event = stack.provider.events().at(-1);
    expect((await deliver(event)).status).toBe(204);
    stack.payments.clear();
    expect((await deliver(event)).status).toBe(204);
    expect(stack.payments.exchanges).toEqual([]);
  });

  test('events that are about no payment are done at once', async () => {
    expect((await deliver(eventOf('customer.created', { object: 'customer', id: 'cus_1' }))).status).toBe(204);
    expect(await stored('customer.created')).toMatchObject([{ applied: true, attempts: 0 }]);
  });

  // A time to come is nearer by when it is read.
  test.each([301, -360])('signed %s seconds ago is refused', async (ageS) => {
    const event = eventOf('customer.updated', { object: 'customer', id: 'cus_1' });
    expect((await deliver(event, { ageS })).status).toBe(401);
    expect(await stored('customer.updated')).toEqual([]);
  });

  test('an inquiry moves no money', async () => {
    const payment = await placePaid(stack, CAPTURED);
    const object = {
      object: 'dispute',
      id: 'dp_inquiry',
      status: 'warning_needs_response',
      amount: payment.total,
      payment_intent: payment.reference,
    };
    expect((await deliver(eventOf('charge.dispute.created', object))).status).toBe(204);
    expect(await shop.get(payment)).toMatchObject({ status: 'captured', charged_back_amount: 0 });
  });

  test('no row of an event holds its body', async () => {
    const { rows } = await stack.owner.query(
      `select column_name from information_schema.columns where table_name = 'payment_webhook_events' order by 1`,
    );
    expect(rows.map(({ column_name }) => column_name)).toEqual([
      'applied_at',
      'attempts',
      'event_id',
      'last_error',
      'payment_id',
      'provider',
      'received_at',
      'type',
    ]);
  });
});
