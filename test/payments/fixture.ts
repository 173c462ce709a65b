import { createSku, call, readyCart, type CallOptions, type Json, type Reply } from '../support/shop.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import type { Stack } from '../support/stack.ts';

export interface Payment {
  id: string;
  orderId: string;
  total: number;
  /** The provider's name of it; null for money by hand. */
  reference: string | null;
}

type Method = { provider: string; token?: string; capture?: string };

export const AUTHORIZED: Method = { provider: 'test', token: 'tok_ok', capture: 'manual' };
export const CAPTURED: Method = { provider: 'test', token: 'tok_ok' };
export const BY_HAND: Method = { provider: 'manual' };

/** An order of one piece for 10.00 and shipping, paid this way. */
export async function placePaid(stack: Stack, payment: Method): Promise<Payment> {
  const sku = await createSku(stack, { stock: 5, price: 1000 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  const placed = await call(stack, 'POST', '/orders', { cart_id: cart.id, payment });
  if (placed.status !== 201) throw new Error(`no order: ${placed.text}`);
  const { id, total, payments } = placed.body;
  const { rows } = await stack.owner.query('select provider_reference from payments where order_id = $1', [id]);
  return { id: payments[0].id, orderId: id, total, reference: rows[0].provider_reference };
}

export type Verb = 'capture' | 'void' | 'refund';

/** The admin routes of payments as the holder of this token calls them. */
export const paymentsAs = (stack: Stack, token: string) => ({
  get: async ({ id }: Payment): Promise<Json> =>
    (await call(stack, 'GET', `/admin/payments/${id}`, undefined, { token })).body,
  ask: (verb: Verb, { id }: Payment, body: Json = {}, options: CallOptions = {}): Promise<Reply> =>
    call(stack, 'POST', `/admin/payments/${id}/${verb}`, body, { token, ...options }),
});

/** Kind, outcome and amount of each entry, in the order in which it was written. */
export async function ledgerOf(stack: Stack, { id }: Payment): Promise<string[]> {
  const { rows } = await stack.owner.query(
    'select kind, outcome, amount from payment_transactions where payment_id = $1 order by created_at, id',
    [id],
  );
  return rows.map(({ kind, outcome, amount }) => `${kind} ${outcome} ${amount}`);
}

export const chargeOf = (stack: Stack, { reference }: Payment) =>
  stack.provider.charges().find(({ id }) => id === reference);

export const isVerb =
  (end: string) =>
  ({ method, path }: Exchange): boolean =>
    method === 'POST' && path.endsWith(end);

/** What people do at the provider itself: no request of the shop's. */
export async function atProvider(stack: Stack, path: string, body: Record<string, string> = {}): Promise<Json> {
  const isControl = path.startsWith('/_');
  const response = await fetch(`${stack.provider.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.bindings['PAYMENT_TEST_SECRET']}` },
    body: isControl && path !== '/_disputes' ? JSON.stringify(body) : new URLSearchParams(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return await response.json();
}

/** As if the time until the tick looks at it again had gone by. */
export async function untilNextLook(stack: Stack): Promise<void> {
  await stack.owner.query(
    `update payment_request_leases set lease_until = now() - interval '1 second', next_at = now() - interval '1 second'`,
  );
  await stack.owner.query(`update payment_webhook_events set received_at = received_at - interval '3 days'`);
}

export const tick = (stack: Stack) => stack.worker.scheduled({ cron: '* * * * *' });

/** Types of the events about an aggregate, oldest first. */
export async function eventsOf(stack: Stack, aggregateId: string): Promise<string[]> {
  const { rows } = await stack.owner.query('select type from outbox_events where aggregate_id = $1 order by id', [
    aggregateId,
  ]);
  return rows.map(({ type }) => type);
}
