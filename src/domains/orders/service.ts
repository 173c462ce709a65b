import * as z from 'zod';
import { equalSecret, hmacSha256Base64url } from '../../platform/auth/hmac.ts';
import { customerIdOf, type Actor } from '../../platform/auth/actor.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import { notFound } from '../../platform/errors.ts';
import type { Deps } from '../../platform/deps.ts';
import { orderById, orderOfCustomer, ordersOfCustomer, type OrderRow } from './queries.ts';
import { toOrder } from './rules.ts';
import type { Order } from './schema.ts';

/** HMAC of the order's id: whoever placed it as a guest can read it, and nothing needs storing. */
export function guestToken({ config }: Deps, orderId: string): Promise<string> {
  return hmacSha256Base64url(config.ORDER_TOKEN_SECRET, `order:${orderId}`);
}

/** The order as its buyer sees it; a guest's carries the token that reads it again. */
export async function presentOrder(deps: Deps, row: OrderRow): Promise<Order> {
  const order = toOrder(row);
  return row.customer_id === null ? { ...order, guest_token: await guestToken(deps, row.id) } : order;
}

/** 404 for everybody but its owner: the customer, or the holder of a guest order's token. */
export async function getOrder(deps: Deps, actor: Actor, id: string, token: string | undefined): Promise<Order> {
  const customerId = customerIdOf(actor);
  const holdsToken = token !== undefined && equalSecret(token, await guestToken(deps, id));
  if (!holdsToken && customerId === null) throw notFound('order');
  const [[row]] = await deps.db.read(
    holdsToken || customerId === null ? orderById(id) : orderOfCustomer(id, customerId),
  );
  if (!row) throw notFound('order');
  return await presentOrder(deps, row);
}

export async function listOrders(deps: Deps, customerId: string, page: { limit: number; cursor?: string | undefined }) {
  const after = decodeCursor(page.cursor, z.tuple([z.uuid()]));
  const [rows] = await deps.db.read(ordersOfCustomer(customerId, page.limit, after?.[0] ?? null));
  return pageOf(rows, page.limit, { item: toOrder, key: (row) => [row.id] });
}
