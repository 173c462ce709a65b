import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ADDRESS,
  call,
  createSku,
  MANUAL,
  ordersOf,
  pay,
  placeOrder,
  readyCart,
  type Reply,
  stockOf,
} from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

const count = async (query: string): Promise<number> => Number((await stack.owner.query(query)).rows[0].count);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

function tally(replies: readonly Reply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of replies) {
    const name = status === 201 ? '201' : `${status} ${body.code}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe('stock is never oversold', () => {
  test('200 buyers at once for 10 units: 10 orders, nothing reserved, every loser told which line', async () => {
    const sku = await createSku(stack, { stock: 10 });
    const carts = await Promise.all(range(200).map(() => readyCart(stack, [{ sku_id: sku.id, quantity: 1 }])));
    const chargesBefore = stack.provider.charges().length;
    const replies = await Promise.all(
      carts.map((cart, buyer) => placeOrder(stack, cart.id, pay('tok_ok'), { key: `b${buyer}` })),
    );

    expect(tally(replies)).toEqual({ '201': 10, '409 insufficient_stock': 190 });
    for (const { body } of replies.filter(({ status }) => status === 409)) {
      expect(body.errors).toEqual([
        expect.objectContaining({ param: 'items[0]', sku_id: sku.id, requested: 1, available: 0 }),
      ]);
    }
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 0, reserved: 0 });
    expect(await count(`select count(*) from reservations where sku_id = '${sku.id}' and committed_at is null`)).toBe(
      0,
    );
    expect(stack.provider.charges().length - chargesBefore).toBe(10);
    expect(await count(`select count(*) from order_items where sku_id = '${sku.id}'`)).toBe(10);
  });

  test('600 random multi-line reserves in parallel: no deadlock, sold equals taken', async () => {
    const skus = await Promise.all(range(6).map(() => createSku(stack, { stock: 5_000 })));
    const shipping = await call(stack, 'POST', '/carts?expand=shipping_options', {
      market: 'us',
      shipping_address: ADDRESS,
    });
    const shipping_option_id = shipping.body.shipping_options[0].id;
    const replies = await Promise.all(
      range(600).map((buyer) => {
        const picked = skus.toSorted(() => Math.random() - 0.5).slice(0, 1 + (buyer % 4));
        const items = picked.map(({ id }) => ({ sku_id: id, quantity: 1 + (buyer % 3) }));
        const cart = { market: 'us', items, email: 'ada@example.test', shipping_address: ADDRESS, shipping_option_id };
        return call(stack, 'POST', '/orders', { cart, payment: MANUAL });
      }),
    );
    expect(tally(replies)).toEqual({ '201': 600 });
    const { rows } = await stack.owner.query(
      'select deadlocks::int from pg_stat_database where datname = current_database()',
    );
    expect(rows[0].deadlocks).toBe(0);
    for (const sku of skus) {
      const sold = await count(
        `select coalesce(sum(quantity), 0) as count from order_items where sku_id = '${sku.id}'`,
      );
      expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 5_000 - sold, reserved: 0 });
    }
  });

  test('two orders of the last unit, one cart each with two lines in opposite order: one wins whole', async () => {
    const [a, b] = [await createSku(stack, { stock: 1 }), await createSku(stack, { stock: 1 })];
    const line = ({ id }: { id: string }) => ({ sku_id: id, quantity: 1 });
    const carts = [await readyCart(stack, [line(a), line(b)]), await readyCart(stack, [line(b), line(a)])];
    const replies = await Promise.all(carts.map((cart) => placeOrder(stack, cart.id)));
    expect(tally(replies)).toEqual({ '201': 1, '409 insufficient_stock': 1 });
    expect(await stockOf(stack, a.id)).toEqual({ on_hand: 0, reserved: 0 });
    expect(await stockOf(stack, b.id)).toEqual({ on_hand: 0, reserved: 0 });
  });
});

describe('20 tabs order one cart: one order, one payment', () => {
  const keys: Record<string, (tab: number) => { key?: string }> = {
    'with one key': () => ({ key: 'the-one-key' }),
    'with different keys': (tab) => ({ key: `tab-${tab}` }),
    'with no key': () => ({}),
  };
  for (const [name, keyOf] of Object.entries(keys)) {
    test.each([pay('tok_ok'), MANUAL])(`${name}, paid by $provider`, async (payment) => {
      const sku = await createSku(stack, { stock: 50 });
      const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 2 }]);
      const chargesBefore = stack.provider.charges().length;
      const replies = await Promise.all(range(20).map((tab) => placeOrder(stack, cart.id, payment, keyOf(tab))));

      const placed = replies.filter(({ status }) => status === 201);
      expect(placed.length).toBeGreaterThan(0);
      expect(new Set(placed.map(({ body }) => body.id)).size).toBe(1);
      for (const { status, body } of replies.filter((reply) => reply.status !== 201)) {
        expect(status).toBe(409);
        expect(['cart_already_completed', 'idempotency_in_flight', 'cart_changed']).toContain(body.code);
      }
      expect(await ordersOf(stack, cart.id)).toEqual([{ id: placed[0]?.body.id, status: 'confirmed' }]);
      expect(stack.provider.charges().length - chargesBefore).toBe(payment.provider === 'test' ? 1 : 0);
      expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 48, reserved: 0 });
      expect(
        await count(
          `select count(*) from payments p join orders o on o.id = p.order_id where o.cart_id = '${cart.id}'`,
        ),
      ).toBe(1);
    });
  }
});

test('20 parallel adds to one cart all count', async () => {
  const sku = await createSku(stack, { stock: 100 });
  const cart = (await call(stack, 'POST', '/carts', {})).body;
  const replies = await Promise.all(
    range(20).map(() => call(stack, 'POST', `/carts/${cart.id}/items`, { sku_id: sku.id, quantity: 1 })),
  );
  expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  const read = (await call(stack, 'GET', `/carts/${cart.id}`)).body;
  expect(read.items).toMatchObject([{ quantity: 20, subtotal: 20_000 }]);
  expect(read.version).toBe(21);
});
