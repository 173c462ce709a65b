import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AUTHORIZED, isVerb, paymentsAs, placePaid, tick } from '../payments/fixture.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import { gate, isCharge } from '../support/order-path.ts';
import { call, createSku, pay, placeOrder, readyCart, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { createStaff } from '../support/staff.ts';
import { awaitStored } from '../support/stored.ts';

let stack: Stack;
let token: string;
beforeAll(async () => {
  stack = await startStack({ env: { PAYMENT_TIMEOUT_MS: '1000' } });
  stack.provider.setWebhookMode('hold');
  token = (await createStaff(stack, 'owner')).token;
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

interface Ask {
  key: string;
  send: () => Promise<Reply>;
}

/** The first caller has learned nothing. What the key is answered then stays, whatever becomes of the money. */
async function expectSameBytes({ key, send }: Ask, change: (first: Reply) => Promise<Reply>): Promise<void> {
  const first = await send();
  expect(first.status, first.text).toBeLessThan(300);
  await awaitStored(stack, key);
  const changed = await change(first);
  expect(changed.status, changed.text).toBe(200);
  const replayed = await send();
  expect([replayed.status, replayed.text]).toEqual([first.status, first.text]);
  expect(replayed.headers.get('idempotent-replayed')).toBe('true');
}

describe('after a 503, the first answer is the one that every replay gets', () => {
  test('a capture whose reply was lost, and money that went back later', async () => {
    const shop = paymentsAs(stack, token);
    const payment = await placePaid(stack, AUTHORIZED);
    const key = 'capture-in-doubt';
    const send = () => shop.ask('capture', payment, {}, { key });
    stack.payments.inject(isVerb('/capture'), 'drop_reply');
    expect(await send()).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    await expectSameBytes({ key, send }, () => shop.ask('refund', payment, { amount: 400 }));
  });

  test('an order that the tick finished, and that was canceled later', async () => {
    const sku = await createSku(stack, { stock: 3 });
    const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
    const key = 'order-in-doubt';
    const send = () => placeOrder(stack, cart.id, pay('tok_ok'), { key });
    stack.payments.inject(isCharge, 'drop_reply');
    expect(await send()).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    await tick(stack);
    await expectSameBytes({ key, send }, ({ body }) =>
      call(stack, 'POST', `/admin/orders/${body.id}/cancel`, { reason: 'out_of_stock' }, { token }),
    );
  });
});

test('what a twin was answered in between is what every replay says', async () => {
  const isStore = ({ requestBody }: Exchange) => requestBody.includes('update idempotency_keys set status');
  const { id } = (await call(stack, 'POST', '/carts', {})).body;
  const send = () => call(stack, 'PATCH', `/carts/${id}`, { note: 'once' }, { key: 'twin' });
  const late = gate();
  const held = stack.neon.inject(isStore, { hold_request: late.opened });
  await send();
  const first = await held.fired;
  await call(stack, 'PATCH', `/carts/${id}`, { note: 'moved on' });
  const told = await send();
  await awaitStored(stack, 'twin');
  late.open();
  await expect.poll(() => first.status, { timeout: 5_000 }).toBe(200);
  const replayed = await send();
  expect([replayed.text, replayed.headers.get('etag')]).toEqual([told.text, told.headers.get('etag')]);
});
