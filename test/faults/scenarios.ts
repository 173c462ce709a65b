import { atProvider } from '../payments/fixture.ts';
import { isCharge } from '../support/order-path.ts';
import { ordersOf, pay, type Reply } from '../support/shop.ts';
import { authenticate, byStaff, fillCart, order, payVerb, readyCart, wholeCart } from './buyer.ts';
import type { Run } from './run.ts';

export interface Scenario {
  name: string;
  walk(run: Run): Promise<void>;
}

const sold = (run: Run, captured: number, refunded = 0): void => {
  run.expected = { outcome: 'sold', captured, refunded };
};

/** The provider's refunds of an order that are under way go through. */
async function endRefunds({ stack }: Run, placed: Reply): Promise<void> {
  const charge = stack.provider.charges().find(({ order_id }) => order_id === placed.body.id);
  const headers = { authorization: `Bearer ${stack.bindings['PAYMENT_TEST_SECRET']}` };
  const listed = await fetch(`${stack.provider.url}/v1/refunds?payment_intent=${charge?.id}`, { headers });
  for (const { id, status } of (await listed.json()).data)
    if (status === 'pending') await atProvider(stack, '/_refunds/close', { id, status: 'succeeded' });
}

/** A buyer at the page of their bank; answers what the order comes to. */
async function atBank(run: Run, outcome: 'success' | 'failure'): Promise<number> {
  const cart = await readyCart(run);
  await run.begin();
  const of = { cart_id: cart.id };
  const waiting = await order(run, { of, token: 'tok_requires_action', key: `order-${run.tag}` });
  await authenticate(waiting, outcome);
  await run.during(
    () => run.webhooks(),
    () => run.tick(),
  );
  return cart.total;
}

/** The ways in which an order is paid. Each begins its recording where it leaves the others. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'from an empty cart to the order, with a key',
    async walk(run) {
      await run.begin();
      const cart = await fillCart(run);
      await order(run, { of: { cart_id: cart.id }, token: 'tok_ok', key: `order-${run.tag}` });
      sold(run, cart.total);
    },
  },
  {
    name: 'an order without a key',
    async walk(run) {
      const cart = await readyCart(run);
      await run.begin();
      await order(run, { of: { cart_id: cart.id }, token: 'tok_ok' });
      sold(run, cart.total);
    },
  },
  {
    name: 'an order that brings its cart',
    async walk(run) {
      await run.begin();
      const placed = await order(run, {
        of: { cart: wholeCart(run) },
        token: 'tok_ok',
        key: `order-${run.tag}-of-its-own`,
      });
      sold(run, placed.body.total);
    },
  },
  {
    name: 'a buyer who authenticates',
    async walk(run) {
      sold(run, await atBank(run, 'success'));
    },
  },
  {
    name: 'a buyer whose bank does not know them',
    async walk(run) {
      await atBank(run, 'failure');
    },
  },
  {
    name: 'a payment that a bank takes its time over',
    async walk(run) {
      const cart = await readyCart(run);
      await run.begin();
      const slow = await order(run, { of: { cart_id: cart.id }, token: 'tok_processing', key: `order-${run.tag}` });
      const charge = run.stack.provider.charges().find(({ order_id }) => order_id === slow.body.id);
      await atProvider(run.stack, '/_payments/close', { id: charge?.id ?? '', status: 'succeeded' });
      await run.during(
        () => run.webhooks(),
        () => run.tick(),
      );
      sold(run, cart.total);
    },
  },
  {
    name: 'another card while the first one waits for its buyer',
    async walk(run) {
      const cart = await readyCart(run);
      const of = { cart_id: cart.id };
      await order(run, { of, token: 'tok_requires_action', key: `first-${run.tag}` });
      await run.begin();
      await order(run, { of, token: 'tok_ok', key: `order-${run.tag}` });
      sold(run, cart.total);
    },
  },
  {
    name: 'a buyer who never comes back',
    async walk(run) {
      const cart = await readyCart(run);
      await order(run, { of: { cart_id: cart.id }, token: 'tok_requires_action' });
      await run.stack.owner.query(
        `update orders set created_at = now() - interval '61 minutes' where cart_id = $1 and status = 'pending'`,
        [cart.id],
      );
      await run.begin();
      await run.during(
        () => run.tick(),
        () => run.tick(),
      );
    },
  },
  {
    name: 'a declined card, then another one',
    async walk(run) {
      const cart = await readyCart(run);
      await run.begin();
      await order(run, { of: { cart_id: cart.id }, token: 'tok_declined', key: `declined-${run.tag}` });
      await order(run, { of: { cart_id: cart.id }, token: 'tok_ok', key: `order-${run.tag}` });
      sold(run, cart.total);
    },
  },
  {
    name: 'a provider that fails, and the tick',
    async walk(run) {
      const cart = await readyCart(run);
      await run.begin();
      const body = { cart_id: cart.id, payment: { provider: 'test', token: 'tok_error' } };
      const key = `order-${run.tag}`;
      const send = () => run.call('POST', '/orders', body, { key });
      run.hear(await run.during(send, async () => run.hear(await send())));
      await run.passTime();
      await run.during(
        () => run.tick(),
        () => run.tick(),
      );
      await order(run, { of: { cart_id: cart.id }, token: 'tok_error', key });
      sold(run, cart.total);
    },
  },
  {
    name: 'money that is captured later',
    async walk(run) {
      const cart = await readyCart(run);
      const placed = await order(run, {
        of: { cart_id: cart.id },
        token: 'tok_ok',
        capture: 'manual',
        key: `order-${run.tag}`,
      });
      await run.begin();
      await payVerb(run, placed, 'capture', {});
      sold(run, cart.total);
    },
  },
  {
    name: 'an order whose money is only authorized',
    async walk(run) {
      const cart = await readyCart(run);
      await run.begin();
      await order(run, { of: { cart_id: cart.id }, token: 'tok_ok', capture: 'manual', key: `order-${run.tag}` });
      sold(run, 0);
    },
  },
  {
    name: 'money that goes back in part',
    async walk(run) {
      const cart = await readyCart(run);
      const placed = await order(run, { of: { cart_id: cart.id }, token: 'tok_ok', key: `order-${run.tag}` });
      await run.begin();
      await payVerb(run, placed, 'refund', { amount: 700, reason: 'damaged' });
      sold(run, cart.total, 700);
    },
  },
  {
    name: 'money that people give back at the provider, of a payment whose name is not known here',
    async walk(run) {
      const cart = await readyCart(run);
      run.stack.payments.inject(isCharge, 'drop_reply');
      await run.call('POST', '/orders', { cart_id: cart.id, payment: pay('tok_ok') });
      const [made] = await ordersOf(run.stack, cart.id);
      const charge = run.stack.provider.charges().find(({ order_id }) => order_id === made?.id);
      await run.begin();
      await atProvider(run.stack, '/v1/refunds', { payment_intent: charge?.id ?? '', amount: '300' });
      await run.during(
        () => run.webhooks(),
        () => run.tick(),
      );
      sold(run, cart.total, 300);
    },
  },
  {
    name: 'money that goes back slowly',
    async walk(run) {
      const cart = await readyCart(run);
      const placed = await order(run, {
        of: { cart_id: cart.id },
        token: 'tok_refund_pending',
        key: `order-${run.tag}`,
      });
      const path = `/admin/payments/${placed.body.payments.at(-1).id}/refund`;
      const asked = { key: `slow-${run.tag}`, token: run.lane.staffToken };
      await run.begin();
      // In doubt as long as it is under way: whoever asks again with the same key learns that it went through.
      await run.until(async () => {
        const reply = await run.call('POST', path, { amount: 700 }, asked);
        await endRefunds(run, placed);
        return reply;
      });
      sold(run, cart.total, 700);
    },
  },
  {
    name: 'an order that is paid and then canceled',
    async walk(run) {
      const cart = await readyCart(run);
      const placed = await order(run, { of: { cart_id: cart.id }, token: 'tok_ok', key: `order-${run.tag}` });
      await run.begin();
      await byStaff(run, `/admin/orders/${placed.body.id}/cancel`, { reason: 'out_of_stock' });
      run.expected = { outcome: 'canceled', captured: cart.total, refunded: cart.total };
    },
  },
  {
    name: 'an order that its buyer cancels before its money is taken',
    async walk(run) {
      const cart = await readyCart(run);
      const placed = await order(run, { of: { cart_id: cart.id }, token: 'tok_ok', capture: 'manual' });
      const { id, guest_token } = placed.body;
      await run.begin();
      const options = { key: `cancel-${run.tag}`, headers: { 'x-order-token': guest_token } };
      await run.until(() => run.call('POST', `/orders/${id}/cancel`, {}, options));
      run.expected = { outcome: 'canceled', captured: 0, refunded: 0 };
    },
  },
  {
    name: 'a line whose money goes back',
    async walk(run) {
      const cart = await readyCart(run);
      const placed = await order(run, { of: { cart_id: cart.id }, token: 'tok_ok', key: `order-${run.tag}` });
      await run.begin();
      const items = [{ item_id: placed.body.items[0].id, quantity: 1 }];
      const refunded = await byStaff(run, `/admin/orders/${placed.body.id}/refunds`, { items, reason: 'damaged' });
      sold(run, cart.total, refunded.body.amount);
    },
  },
];
