import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awaitMail, mailsTo } from '../support/mails.ts';
import { register } from '../support/people.ts';
import { call, createSku, placeOrder, readyCart, type Json, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buy } from './fixture.ts';

let stack: Stack;
let shopped: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { RATE_LIMIT_RESET: '12' } });
  shopped = await startStack({ env: { ORDER_URL: 'https://shop.example.test/orders/{order_id}#token={token}' } });
});
afterAll(async () => {
  await stack.close();
  await shopped.close();
});

/** Where readyCart() has its orders sent. */
const EMAIL = 'ada@example.test';
const ABOUT = 'Your order';
const look = (number: string, email: string, at = stack): Promise<Reply> =>
  call(at, 'POST', '/orders/lookup', { number, email });
const seen = ({ status, text, headers }: Reply) => [status, text, headers.get('content-type')];

/** Mails go out after replies; whoever is asked later is answered later. */
async function settled(at: Stack): Promise<void> {
  const before = mailsTo(at, EMAIL, ABOUT).length;
  const last = await buy(at, [{ quantity: 1 }]);
  await look(last.order.number, EMAIL, at);
  await awaitMail(at, EMAIL, last.order.number);
  expect(mailsTo(at, EMAIL, ABOUT).length).toBe(before + 1);
}

describe('a guest who lost the way back to an order', () => {
  test('has it mailed to the address that the order was placed with, and it opens the order', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const reply = await look(bought.order.number, ` ${EMAIL.toUpperCase()}`.trim());
    expect(seen(reply)).toEqual([202, '', null]);
    const { text } = await awaitMail(stack, EMAIL, bought.order.number);
    expect(text).toContain(`Order: ${bought.id}\n`);
    const [, token = ''] = /^Token: (\S+)$/m.exec(text) ?? [];
    expect(token).toBe(bought.guestToken);
    const order = await call(stack, 'GET', `/orders/${bought.id}`, undefined, { headers: { 'x-order-token': token } });
    expect(order.body.id).toBe(bought.id);
  });

  test('gets a link where the shop has a page for it', async () => {
    const bought = await buy(shopped, [{ quantity: 1 }]);
    await look(bought.order.number, EMAIL, shopped);
    const { text } = await awaitMail(shopped, EMAIL, bought.order.number);
    expect(text.split('\n')).toContain(`https://shop.example.test/orders/${bought.id}#token=${bought.guestToken}`);
  });
});

describe('nobody learns anything', () => {
  test('from the reply: it is the same for every number and address', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const right = await look(bought.order.number, EMAIL);
    for (const [number, email] of [
      [bought.order.number, 'eve@example.test'],
      ['261122-ZZZZZZZZ', EMAIL],
    ] as const) {
      expect(seen(await look(number, email))).toEqual(seen(right));
    }
    await awaitMail(stack, EMAIL, bought.order.number);
    expect(mailsTo(stack, 'eve@example.test')).toEqual([]);
  });

  test("of a customer's order, a failed attempt, or with half of a number", async () => {
    const { token } = await register(shopped);
    const owned = await buy(shopped, [{ quantity: 1 }], { token });
    const sku = await createSku(shopped, { stock: 5 });
    const cart = await readyCart(shopped, [{ sku_id: sku.id, quantity: 1 }]);
    const { body } = await placeOrder(shopped, cart.id, { provider: 'test', token: 'tok_declined' });
    const { rows } = await shopped.owner.query('select number from orders where id = $1', [body.order_id]);
    const numbers: string[] = [owned.order.number, rows[0].number, owned.order.number.slice(0, -1), '%'];
    for (const number of numbers) expect((await look(number, EMAIL, shopped)).status).toBe(202);
    await settled(shopped);
  });

  test('by trying: it is limited', async () => {
    let last: Json = null;
    // A minute that ends in between begins a new count.
    for (let tries = 0; tries < 30 && last?.status !== 429; tries += 1)
      last = await look('261122-00000000', 'eve@example.test');
    expect([last.status, last.body.code]).toEqual([429, 'rate_limited']);
  });
});

test.each([
  ['number', { email: EMAIL }],
  ['number', { number: '', email: EMAIL }],
  ['email', { number: '1' }],
  ['email', { number: '1', email: 'nobody' }],
])('a faulty %s is named', async (param, body) => {
  const refused = await call(shopped, 'POST', '/orders/lookup', body);
  expect([refused.status, refused.body.param]).toEqual([422, param]);
});
