import * as z from 'zod';
import type { Actor } from '../../platform/auth/actor.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import { notFound } from '../../platform/errors.ts';
import type { Deps } from '../../platform/deps.ts';
import { sendMail } from '../notifications/index.ts';
import { accessTo, assertAccess, guestToken } from './access.ts';
import { cancelOrder } from './cancel.ts';
import type { Asked } from './change.ts';
import { guestOrderOf } from './queries/lookup.ts';
import { orderById, ordersOfCustomer, type OrderRow } from './queries/orders.ts';
import { toOrder } from './rules/order.ts';
import type { Order } from './schema.ts';

/** The order as its buyer sees it; a guest's carries the token that reads it again. */
export async function presentOrder(deps: Deps, row: OrderRow): Promise<Order> {
  const order = toOrder(row);
  return row.customer_id === null ? { ...order, guest_token: await guestToken(deps, row.id) } : order;
}

/** 404 for everybody but its owner: the customer, or the holder of a guest order's token. */
export async function getOrder(deps: Deps, actor: Actor, id: string, token: string | undefined): Promise<Order> {
  const access = await accessTo(deps, actor, id, token);
  const [[row]] = await deps.db.read(orderById(id));
  if (!row) throw notFound('order');
  assertAccess(access, row);
  return await presentOrder(deps, row);
}

export async function listOrders(deps: Deps, customerId: string, page: { limit: number; cursor?: string | undefined }) {
  const after = decodeCursor(page.cursor, z.tuple([z.uuid()]));
  const [rows] = await deps.db.read(ordersOfCustomer(customerId, page.limit, after?.[0] ?? null));
  return pageOf(rows, page.limit, { item: toOrder, key: (row) => [row.id] });
}

/** What a buyer may do by themselves: call the whole order off while nobody has begun to send it. */
export async function cancelOwnOrder(deps: Deps, id: string, asked: Asked, token: string | undefined): Promise<void> {
  const access = await accessTo(deps, asked.actor, id, token);
  await cancelOrder(deps, id, asked, {
    reason: 'requested_by_customer',
    restock: true,
    refund: true,
    byBuyer: true,
    access,
  });
}

/**
 * Mails the way back to a guest's order to the address that it was placed with, and only there: whoever guesses learns
 * nothing. Nothing is read before the reply, so it takes as long for every number.
 */
export function mailOrderAccess(deps: Deps, { number, email }: { number: string; email: string }): void {
  deps.defer(async () => {
    const [[order]] = await deps.db.read(guestOrderOf(number, email));
    if (!order) return;
    const token = await guestToken(deps, order.id);
    await sendMail(deps, {
      to: order.email,
      template: 'order_access',
      params: { orderId: order.id, number: order.number, token },
    });
  });
}
