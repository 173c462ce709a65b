import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Exchange } from '../support/fault-proxy.ts';
import { gate } from '../support/order-path.ts';
import { createSku, type Json, MANUAL, pay, placeOrder, readyCart } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type Delivery, type Receiver, startReceiver } from './receiver.ts';

const SECRET = 'a secret that the receiver knows, too';
const WAIT = { timeout: 30_000, interval: 20 };

let receiver: Receiver;
let stack: Stack;
let skuId: string;
beforeAll(async () => {
  receiver = await startReceiver();
  stack = await startStack({ env: { EVENTS_URL: receiver.url, EVENTS_SECRET: SECRET } });
  skuId = (await createSku(stack, { stock: 1000 })).id;
});
beforeEach(async () => {
  stack.neon.clear();
  receiver.answer = () => 200;
  receiver.deliveries.length = 0;
  await stack.owner.query('delete from outbox_events');
});
afterAll(async () => {
  await stack.close();
  await receiver.close();
});

const isTake = ({ requestBody }: Exchange) => requestBody.includes('update outbox_events e set attempts');
const isMark = ({ requestBody }: Exchange) => requestBody.includes('set delivered_at');
const tick = () => stack.worker.scheduled({ cron: '* * * * *' });

async function order(payment: { provider: string; token?: string }): Promise<Json> {
  const cart = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }]);
  const { body } = await placeOrder(stack, cart.id, payment);
  return body;
}

async function insertEvents(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  await stack.owner.query(
    `insert into outbox_events (id, type, aggregate_id, payload)
     select id, 'order.placed', 'made-by-hand', '{"total": 1}' from unnest($1::uuid[]) as id`,
    [ids],
  );
  return ids;
}

async function rowOf(id: string): Promise<Json> {
  const { rows } = await stack.owner.query(
    `select attempts, delivered_at is not null as delivered, dead_at is not null as dead, last_error,
       extract(epoch from next_attempt_at - now())::int as due_in_s
     from outbox_events where id = $1`,
    [id],
  );
  return rows[0];
}

const makeDue = (id: string, attempts: number) =>
  stack.owner.query('update outbox_events set next_attempt_at = now(), attempts = $2 where id = $1', [id, attempts]);
const delivered = async (count: number): Promise<Delivery[]> =>
  await vi.waitFor(() => {
    expect(receiver.deliveries).toHaveLength(count);
    return receiver.deliveries;
  }, WAIT);
const sentIds = () => receiver.deliveries.map(({ headers }) => String(headers['webhook-id']));

describe('an order tells the world', () => {
  test('when it is placed, in a message that Standard Webhooks can verify', async () => {
    const { id, number, total } = await order(pay('tok_ok'));
    const [delivery] = await delivered(1);
    expect(delivery?.body).toEqual({
      id: expect.any(String),
      type: 'order.placed',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: { id, number, total, currency: 'USD' },
    });
    const [eventId, timestamp, signature] = ['id', 'timestamp', 'signature'].map((name) =>
      String(delivery?.headers[`webhook-${name}`]),
    );
    expect(eventId).toBe(delivery?.body.id);
    expect(Math.abs(Date.now() / 1000 - Number(timestamp))).toBeLessThan(300);
    const signed = createHmac('sha256', SECRET).update(`${eventId}.${timestamp}.${delivery?.text}`).digest('base64');
    expect(signature).toBe(`v1,${signed}`);
    await vi.waitFor(
      async () => expect(await rowOf(delivery?.body.id)).toMatchObject({ delivered: true, attempts: 1 }),
      WAIT,
    );
  });

  test('when its payment fails', async () => {
    const { order_id } = await order(pay('tok_declined'));
    const [delivery] = await delivered(1);
    expect(delivery?.body).toMatchObject({ type: 'order.payment_failed', data: { id: order_id } });
  });

  test('with nothing of the person in it', async () => {
    await order(MANUAL);
    const [delivery] = await delivered(1);
    for (const word of ['ada@', 'Lovelace', '@', 'Analytical', '"12345']) expect(delivery?.text).not.toContain(word);
  });

  test.each([
    ['paid by card', pay('tok_ok')],
    ['paid by hand', MANUAL],
  ])('%s: the event is written in the transaction that confirms the order', async (_name, payment) => {
    const { opened, open } = gate();
    const { fired } = stack.neon.inject(isTake, { hold_request: opened });
    const { id } = await order(payment);
    await fired;
    const { rows } = await stack.owner.query(
      `select o.status, e.type, o.xmin = e.xmin as together
       from orders o join outbox_events e on e.aggregate_id = o.id::text where o.id = $1`,
      [id],
    );
    open();
    expect(rows).toEqual([{ status: 'confirmed', type: 'order.placed', together: true }]);
    await delivered(1);
  });

  test('not when it was refused', async () => {
    const { id: sku_id } = await createSku(stack, { stock: 0 });
    const cart = await readyCart(stack, [{ sku_id, quantity: 1 }]);
    expect((await placeOrder(stack, cart.id, MANUAL)).status).toBe(409);
    const { rows } = await stack.owner.query('select count(*)::int as n from outbox_events');
    expect(rows[0].n).toBe(0);
  });
});

describe('a receiver that fails', () => {
  test('is tried again, later each time, under the same id, until it takes the event', async () => {
    const [id = ''] = await insertEvents(1);
    receiver.answer = () => 503;
    await tick();
    expect(await rowOf(id)).toMatchObject({
      attempts: 1,
      delivered: false,
      dead: false,
      last_error: 'Error: HTTP 503',
    });
    const first = (await rowOf(id)).due_in_s;
    expect(first).toBeGreaterThan(0);
    // Not before its time.
    await tick();
    expect(receiver.deliveries).toHaveLength(1);

    await makeDue(id, 1);
    await tick();
    expect(await rowOf(id)).toMatchObject({ attempts: 2, delivered: false });
    expect((await rowOf(id)).due_in_s).toBeGreaterThan(first);

    receiver.answer = () => 204;
    await makeDue(id, 2);
    await tick();
    expect(await rowOf(id)).toMatchObject({ attempts: 3, delivered: true, dead: false, last_error: null });
    expect(sentIds()).toEqual([id, id, id]);
  });

  test('is given up after the last attempt: the row is dead, stays, and is not sent again', async () => {
    const [id = ''] = await insertEvents(1);
    receiver.answer = () => 500;
    await makeDue(id, 10);
    await tick();
    expect(await rowOf(id)).toMatchObject({ attempts: 11, dead: false });
    expect((await rowOf(id)).due_in_s).toBeLessThanOrEqual(4 * 3600);
    await makeDue(id, 11);
    await tick();
    expect(await rowOf(id)).toMatchObject({ attempts: 12, dead: true, delivered: false });
    await makeDue(id, 12);
    await tick();
    expect(receiver.deliveries).toHaveLength(2);
  });

  test('does not keep the others from theirs', async () => {
    const [bad = '', good = ''] = await insertEvents(2);
    receiver.answer = ({ body }) => (body.id === bad ? 500 : 200);
    await tick();
    expect(await rowOf(bad)).toMatchObject({ delivered: false });
    expect(await rowOf(good)).toMatchObject({ delivered: true });
  });
});

describe('several drains', () => {
  test('at once deliver each event once', async () => {
    const ids = await insertEvents(120);
    await Promise.all(Array.from({ length: 6 }, tick));
    expect(sentIds().toSorted()).toEqual(ids.toSorted());
    const { rows } = await stack.owner.query(
      'select count(*)::int as n from outbox_events where delivered_at is not null and attempts = 1',
    );
    expect(rows[0].n).toBe(120);
  });

  test('one that dies on its way leaves its events to the next', async () => {
    const [id = ''] = await insertEvents(1);
    stack.neon.inject(isTake, 'drop_reply');
    await tick();
    expect(await rowOf(id)).toMatchObject({ delivered: false, dead: false });
    expect(receiver.deliveries).toEqual([]);
    await makeDue(id, 1);
    await tick();
    expect(sentIds()).toEqual([id]);
    expect(await rowOf(id)).toMatchObject({ delivered: true });
  });

  test('an event whose delivery could not be noted is sent again under the same id', async () => {
    const [id = ''] = await insertEvents(1);
    stack.neon.inject(isMark, 'drop_request', 3);
    await tick();
    expect(await rowOf(id)).toMatchObject({ delivered: false });
    await makeDue(id, 1);
    await tick();
    expect(sentIds()).toEqual([id, id]);
    expect(await rowOf(id)).toMatchObject({ delivered: true });
  });
});
