import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { as, auditOf, refusal, stateOf, type Asker } from '../admin/fixture.ts';
import { register } from '../support/people.ts';
import { call, createSku, MANUAL, placeOrder, readyCart, type Json } from '../support/shop.ts';
import { createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { AUTHORIZED, buy, BY_HAND, done, type Bought } from './fixture.ts';

let stack: Stack;
let clerk: Staff;
let staff: Asker;
const PERMISSIONS = ['orders:read', 'orders:write', 'fulfillments:write', 'refunds:write', 'payments:write'];
beforeAll(async () => {
  stack = await startStack();
  clerk = await createStaff(stack, [...PERMISSIONS, 'customers:erase']);
  staff = as(stack, clerk.token);
});
afterAll(() => stack.close());

const write = ({ id }: Bought, body: Json, options = {}) => staff.post(`/orders/${id}/notes`, body, options);
const detail = async ({ id }: Bought): Promise<Json> => done(await staff.get(`/orders/${id}`));
const timeline = async ({ id }: Bought, query = ''): Promise<Json> =>
  done(await staff.get(`/orders/${id}/timeline${query}`));

describe('a note', () => {
  test('is read by staff, and by the buyer when it is meant for them', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const secret = done(await write(bought, { body: 'Looks like fraud to me' }));
    const open = done(await write(bought, { body: ' We send it on Monday. ', visible_to_customer: true }));
    expect(secret).toMatchObject({ author_id: clerk.id, visible_to_customer: false });
    expect((await detail(bought)).notes).toEqual([secret, open]);
    const read = await call(stack, 'GET', `/orders/${bought.id}`, undefined, { headers: bought.asGuest });
    expect(read.body.notes).toEqual([{ id: open.id, body: 'We send it on Monday.', created_at: open.created_at }]);
    expect(read.text).not.toContain('fraud');
  });

  test('is written once under one key, and never in timeline or log', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const key = randomUUID();
    const body = { body: 'Called Mrs Secretname' };
    const first = await write(bought, body, { key });
    expect((await write(bought, body, { key })).text).toBe(first.text);
    expect((await detail(bought)).notes).toHaveLength(1);
    expect(await auditOf(stack, bought.id)).toMatchObject([
      { action: 'order_notes.create', details: { note_id: first.body.id, visible_to_customer: false } },
    ]);
    expect((await stateOf(stack, 'order_changes', 'audit_log', 'outbox_events')).join('\n')).not.toContain(
      'Secretname',
    );
  });

  test('is refused when it is empty or of no order', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    expect(refusal(await write(bought, { body: '  ' }))).toEqual([422, 'validation_failed', 'body']);
    expect(refusal(await write({ ...bought, id: randomUUID() }, { body: 'x' }))).toEqual([404, 'not_found', 'id']);
  });

  test('is erased with the person', async () => {
    const person = await register(stack);
    const bought = await buy(stack, [{ quantity: 1 }], { token: person.token });
    done(await write(bought, { body: 'Ada asked for blue' }));
    expect((await call(stack, 'DELETE', '/customers/me', undefined, { token: person.token })).status).toBe(204);
    expect((await detail(bought)).notes).toMatchObject([{ body: 'erased' }]);
  });
});

describe('the timeline', () => {
  test('tells all that happened in its order, with who did it, and pages', async () => {
    const bought = await buy(stack, [{ quantity: 2 }], { payment: AUTHORIZED });
    const [payment] = bought.order.payments;
    done(await staff.post(`/payments/${payment.id}/capture`, {}));
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    const box = done(await staff.post(`/orders/${bought.id}/fulfillments`, { method: 'shipment', items }));
    done(await staff.patch(`/orders/${bought.id}/fulfillments/${box.id}`, { status: 'shipped' }));
    const refund = done(await staff.post(`/orders/${bought.id}/refunds`, { amount: 50 }));
    done(await staff.post(`/orders/${bought.id}/cancel`, { reason: 'other', items, refund: false }));

    const { data } = await timeline(bought);
    expect(data.map(({ type, actor_kind }: Json) => `${type} by ${actor_kind}`)).toEqual([
      'order.placed by guest',
      'payment.authorize_request by system',
      'payment.authorize_success by system',
      'payment.capture_request by staff',
      'payment.capture_success by staff',
      'fulfillment.pending by staff',
      'fulfillment.shipped by staff',
      'payment.refund_request by staff',
      'order.refund_created by staff',
      'payment.refund_success by staff',
      'order.units_canceled by staff',
    ]);
    expect(data[0]).toMatchObject({ id: bought.id, details: { number: bought.order.number } });
    expect(data[8]).toMatchObject({ actor_id: clerk.id, details: { refund_id: refund.id, amount: 50 } });

    const pages: Json[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Json = await timeline(bought, `?limit=4${cursor === '' ? '' : `&cursor=${cursor}`}`);
      pages.push(...page.data);
      cursor = page.next_cursor;
    }
    expect(pages).toEqual(data);
  });

  test('is of one order, and for staff', async () => {
    expect((await staff.get(`/orders/${randomUUID()}/timeline`)).status).toBe(404);
    const bought = await buy(stack, [{ quantity: 1 }]);
    const stranger = as(stack, (await createStaff(stack, ['customers:read'])).token);
    expect((await stranger.get(`/orders/${bought.id}/timeline`)).status).toBe(403);
  });
});

describe('the orders of the shop', () => {
  const list = async (query: string): Promise<string[]> =>
    done(await staff.get(`/orders?${query}`)).data.map(({ id }: Json) => id);

  test('are found by whose they are, by number, e-mail, state and time, newest first', async () => {
    const person = await register(stack);
    const first = await buy(stack, [{ quantity: 1 }], { token: person.token });
    const second = await buy(stack, [{ quantity: 1 }], { token: person.token, payment: BY_HAND });
    const mine = `customer_id=${person.id}`;
    expect(await list(mine)).toEqual([second.id, first.id]);
    expect(await list(`number=${first.order.number}`)).toEqual([first.id]);
    done(await staff.post(`/orders/${first.id}/cancel`, { reason: 'other' }));
    done(await staff.post(`/orders/${second.id}/fulfillments`, { method: 'digital' }));
    expect(await list(`${mine}&status=canceled`)).toEqual([first.id]);
    expect(await list(`${mine}&fulfillment_status=delivered`)).toEqual([second.id]);
    expect(await list(`${mine}&email=nobody@example.test`)).toEqual([]);
    expect(await list(`${mine}&email=ADA@example.test`)).toHaveLength(2);
    expect(await list(`${mine}&placed_after=${second.order.placed_at}`)).toEqual([second.id]);
    expect(await list(`${mine}&placed_before=${second.order.placed_at}`)).toEqual([first.id]);
    const page = done(await staff.get(`/orders?${mine}&limit=1`));
    expect([page.data[0].id, page.has_more]).toEqual([second.id, true]);
    expect(await list(`${mine}&limit=1&cursor=${page.next_cursor}`)).toEqual([first.id]);
  });

  test('show attempts that failed too, and whose an order is', async () => {
    const sku = await createSku(stack, { stock: 5 });
    const person = await register(stack);
    const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }], { token: person.token });
    const card = { provider: 'test', token: 'tok_declined' };
    expect((await placeOrder(stack, cart.id, card, { token: person.token })).status).toBe(402);
    const placed = await placeOrder(stack, cart.id, MANUAL, { token: person.token });
    const { data } = done(await staff.get(`/orders?customer_id=${person.id}`));
    expect(data.map(({ id, status, customer_id }: Json) => [id, status, customer_id])).toEqual([
      [placed.body.id, 'confirmed', person.id],
      [expect.any(String), 'failed', person.id],
    ]);
  });

  test.each(['status=lost', 'customer_id=x', 'placed_after=today', 'total=1'])(
    'are not searched by ?%s',
    async (query) => {
      expect((await staff.get(`/orders?${query}`)).status).toBe(422);
    },
  );

  test('are not sent again while they are the same', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const path = `/admin/orders/${bought.id}`;
    const first = await call(stack, 'GET', path, undefined, { token: clerk.token });
    const headers = { 'if-none-match': first.headers.get('etag') ?? '' };
    expect((await call(stack, 'GET', path, undefined, { token: clerk.token, headers })).status).toBe(304);
    done(await write(bought, { body: 'x' }));
    expect((await call(stack, 'GET', path, undefined, { token: clerk.token, headers })).status).toBe(200);
  });
});
