import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atProvider, tick } from '../payments/fixture.ts';
import { createSku, ordersOf, pay, placeOrder, readyCart, stockOf, type Json, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

const SLOW = pay('tok_processing');

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
});
afterAll(() => stack.close());

interface Slow {
  skuId: string;
  cart: Json;
  placed: Reply;
}

/** The bank has the payment, and says later what becomes of it. */
async function placeSlow(): Promise<Slow> {
  const { id: skuId } = await createSku(stack, { stock: 1 });
  const cart = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }]);
  const placed = await placeOrder(stack, cart.id, SLOW, { key: `order-of-${cart.id}` });
  expect(placed, placed.text).toMatchObject({ status: 201, body: { status: 'pending' } });
  expect(await stockOf(stack, skuId)).toEqual({ on_hand: 1, reserved: 1 });
  return { skuId, cart, placed };
}

const chargesOf = ({ placed }: Slow) => stack.provider.charges().filter(({ order_id }) => order_id === placed.body.id);

/** Told by webhook, or found by the clock because nobody tells. */
const LEARN: Record<string, () => Promise<void>> = {
  'its webhook': async () => {
    await stack.provider.flushWebhooks();
  },
  'the tick': async () => {
    // What waits is looked at again after some minutes only.
    await stack.owner.query(`update orders set lease_until = now() - interval '1 day' where status = 'pending'`);
    await tick(stack);
  },
};

describe.each(Object.keys(LEARN))('a payment that a bank takes its time over, learned of by %s', (how) => {
  async function close(slow: Slow, status: 'succeeded' | 'failed'): Promise<void> {
    await atProvider(stack, '/_payments/close', { id: chargesOf(slow)[0]?.id ?? '', status });
    await LEARN[how]?.();
  }

  test('is paid in the end: the order is confirmed, once', async () => {
    const slow = await placeSlow();
    await LEARN[how]?.();
    expect(await ordersOf(stack, slow.cart.id)).toEqual([{ id: slow.placed.body.id, status: 'pending' }]);
    const replay = await placeOrder(stack, slow.cart.id, SLOW, { key: `order-of-${slow.cart.id}` });
    expect(replay.text).toBe(slow.placed.text);
    await close(slow, 'succeeded');
    expect(await ordersOf(stack, slow.cart.id)).toEqual([{ id: slow.placed.body.id, status: 'confirmed' }]);
    expect(chargesOf(slow)).toMatchObject([{ captured: slow.cart.total, refunded: 0 }]);
    expect(await stockOf(stack, slow.skuId)).toEqual({ on_hand: 0, reserved: 0 });
  });

  test('is refused in the end: the stock goes back and the cart opens again', async () => {
    const slow = await placeSlow();
    await close(slow, 'failed');
    expect(await ordersOf(stack, slow.cart.id)).toEqual([{ id: slow.placed.body.id, status: 'failed' }]);
    expect(chargesOf(slow)).toMatchObject([{ captured: 0 }]);
    expect(await stockOf(stack, slow.skuId)).toEqual({ on_hand: 1, reserved: 0 });
    expect((await placeOrder(stack, slow.cart.id)).status).toBe(201);
  });
});

test('another card meanwhile is refused: the bank may still say yes', async () => {
  const slow = await placeSlow();
  const other = await placeOrder(stack, slow.cart.id, pay('tok_ok'));
  expect(other).toMatchObject({ status: 409, body: { code: 'cart_already_completed' } });
  expect(chargesOf(slow)).toHaveLength(1);
});
