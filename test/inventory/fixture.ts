import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { call, createSku, MANUAL, placeOrder, readyCart, type Json, type Reply } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import type { Stack } from '../support/stack.ts';

export interface ChangeOptions {
  /** `*` unless told; null sends no If-Match. */
  ifMatch?: string | null;
  key?: string;
}

/** The stock routes as somebody with this token calls them. */
export interface Clerk {
  /** Of the account, as the audit log and the ledger name it. */
  id: string;
  token: string;
  get(path: string): Promise<Reply>;
  post(path: string, body: Json, options?: { key?: string }): Promise<Reply>;
  patch(path: string, body: Json, options?: ChangeOptions): Promise<Reply>;
  put(path: string, body: Json, options?: ChangeOptions): Promise<Reply>;
  remove(path: string, options?: ChangeOptions): Promise<Reply>;
}

export async function createClerk(
  stack: Stack,
  permissions: readonly string[] = ['inventory:read', 'inventory:write'],
): Promise<Clerk> {
  const { id, token } = await createStaff(stack, permissions);
  const change = (method: string, path: string, body: Json, { ifMatch = '*', key }: ChangeOptions = {}) =>
    call(stack, method, `/admin${path}`, body, {
      token,
      ...(key !== undefined && { key }),
      headers: ifMatch === null ? {} : { 'if-match': ifMatch },
    });
  return {
    id,
    token,
    get: (path) => call(stack, 'GET', `/admin${path}`, undefined, { token }),
    post: (path, body, options = {}) => call(stack, 'POST', `/admin${path}`, body, { token, ...options }),
    patch: (path, body, options) => change('PATCH', path, body, options),
    put: (path, body, options) => change('PUT', path, body, options),
    remove: (path, options) => change('DELETE', path, undefined, options),
  };
}

/** What it made, or a test that fails with the refusal. */
export function made({ status, text, body }: Reply): Json {
  expect(status, text).toBeLessThan(300);
  return body;
}

export const refusal = ({ status, body }: Reply) => [status, body?.code, body?.param];

/** A location that nothing is allocated from before those of the demo shop. */
export async function createLocation(clerk: Clerk, details: Json = {}): Promise<Json> {
  const code = `l-${randomUUID().slice(0, 13)}`;
  return made(await clerk.post('/stock-locations', { code, name: 'Of a test', priority: 50, ...details }));
}

export interface Stocked {
  id: string;
  locationId: string;
  /** Of its level, under /admin. */
  path: string;
}

export async function stocked(stack: Stack, stock: number): Promise<Stocked> {
  const { id, locationId } = await createSku(stack, { stock });
  return { id, locationId, path: `/inventory/${id}/${locationId}` };
}

/** Orders units of one SKU, paid by hand, so that they are promised at once. */
export async function order(stack: Stack, skuId: string, quantity: number, options: Json = {}): Promise<Reply> {
  const cart = await readyCart(stack, [{ sku_id: skuId, quantity }], options);
  return await placeOrder(stack, cart.id, MANUAL);
}

export async function levelRow(stack: Stack, skuId: string, locationId: string): Promise<Json> {
  const { rows } = await stack.owner.query(
    'select on_hand, reserved, shortfall from stock_levels where sku_id = $1 and location_id = $2',
    [skuId, locationId],
  );
  return rows[0];
}

export function tick(stack: Stack): Promise<unknown> {
  return stack.worker.scheduled({ cron: '* * * * *' });
}

/** Levels that their movements do not sum to, and levels whose reservations are not what is reserved. */
export async function stockFaults({ owner }: Stack): Promise<Json[]> {
  const { rows } = await owner.query(`
    select coalesce(l.sku_id, m.sku_id) as sku_id, l.on_hand, l.reserved, l.shortfall, m.*, r.promised
    from stock_levels l
    full join (
      select sku_id, location_id, sum(on_hand_delta)::int as on_hand_sum, sum(reserved_delta)::int as reserved_sum,
        sum(shortfall_delta)::int as shortfall_sum
      from stock_movements group by 1, 2
    ) m using (sku_id, location_id)
    left join (select sku_id, location_id, sum(quantity)::int as promised from reservations group by 1, 2) r
      using (sku_id, location_id)
    where (coalesce(l.on_hand, 0), coalesce(l.reserved, 0), coalesce(l.shortfall, 0))
        <> (coalesce(m.on_hand_sum, 0), coalesce(m.reserved_sum, 0), coalesce(m.shortfall_sum, 0))
      or coalesce(l.reserved, 0) <> coalesce(r.promised, 0)`);
  return rows;
}

export async function auditOf({ owner }: Stack, resourceId: string): Promise<Json[]> {
  const { rows } = await owner.query(
    'select action, actor_id, details from audit_log where resource_id = $1 order by id',
    [resourceId],
  );
  return rows;
}
