import { expect } from 'vitest';
import { call, createSku, readyCart, type Json, type Reply } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';

const CAPTURED = { provider: 'test', token: 'tok_ok' };
export const AUTHORIZED = { provider: 'test', token: 'tok_ok', capture: 'manual' };
export const BY_HAND = { provider: 'manual' };

export interface Bought {
  id: string;
  skuIds: string[];
  /** Of the lines, in their order. */
  itemIds: string[];
  /** As it was answered when it was placed. */
  order: Json;
  guestToken: string;
  /** Headers of the guest who placed it. */
  asGuest: Record<string, string>;
}

/** What an order is made of: units of new SKUs, with their price and what there is of them. */
export interface BoughtLine {
  quantity: number;
  price?: number;
  stock?: number;
}

export const STOCK = 10;

/** A confirmed order with one line for each entry. */
export async function buy(
  stack: Stack,
  lines: readonly BoughtLine[],
  { payment = CAPTURED, token }: { payment?: Json; token?: string } = {},
): Promise<Bought> {
  const skus = await Promise.all(lines.map(({ stock = STOCK, price = 1000 }) => createSku(stack, { stock, price })));
  const skuIds = skus.map(({ id }) => id);
  return await buySkus(
    stack,
    skuIds.map((sku_id, index) => ({ sku_id, quantity: lines[index]?.quantity ?? 1 })),
    {
      payment,
      ...(token !== undefined && { token }),
    },
  );
}

export async function buySkus(
  stack: Stack,
  items: readonly { sku_id: string; quantity: number }[],
  { payment = CAPTURED, token }: { payment?: Json; token?: string } = {},
): Promise<Bought> {
  const options = token === undefined ? {} : { token };
  const cart = await readyCart(stack, items, options);
  const placed = await call(stack, 'POST', '/orders', { cart_id: cart.id, payment }, options);
  expect(placed.status, placed.text).toBe(201);
  const { id, guest_token: guestToken = '', items: placedItems } = placed.body;
  const skuIds = items.map(({ sku_id }) => sku_id);
  const itemIds = skuIds.map((skuId) => placedItems.find((each: Json) => each.sku_id === skuId).id);
  return { id, skuIds, itemIds, order: placed.body, guestToken, asGuest: { 'x-order-token': guestToken } };
}

/** What it made or changed, or a test that fails with the refusal. */
export function done({ status, text, body }: Reply): Json {
  expect(status, text).toBeLessThan(300);
  return body;
}

/** Of the payment: kind, outcome and amount of what came after it was placed. */
export async function moneyMoves(stack: Stack, orderId: string): Promise<string[]> {
  const { rows } = await stack.owner.query(
    `select t.kind, t.outcome, t.amount from payment_transactions t join payments p on p.id = t.payment_id
     where p.order_id = $1 order by t.created_at, t.id`,
    [orderId],
  );
  return rows.map(({ kind, outcome, amount }) => `${kind} ${outcome} ${amount}`).slice(2);
}

export const chargeOf = (stack: Stack, orderId: string) =>
  stack.provider.charges().find(({ order_id }) => order_id === orderId);

export async function eventsOf(stack: Stack, orderId: string): Promise<string[]> {
  const { rows } = await stack.owner.query('select type from outbox_events where aggregate_id = $1 order by id', [
    orderId,
  ]);
  return rows.map(({ type }) => type);
}

/** Every level agrees with the ledger of stock and with what is promised of it. */
export async function expectStockAgrees(stack: Stack): Promise<void> {
  const { rows } = await stack.owner.query(
    `select l.sku_id from stock_levels l
     cross join lateral (
       select coalesce(sum(on_hand_delta), 0)::int as on_hand, coalesce(sum(reserved_delta), 0)::int as reserved
       from stock_movements m
       where m.sku_id = l.sku_id and m.location_id = l.location_id) moved
     cross join lateral (
       select coalesce(sum(quantity), 0)::int as units, coalesce(bool_or(set_aside > quantity), false) as is_short,
         coalesce(sum(set_aside), 0)::int as aside from reservations r
       where r.sku_id = l.sku_id and r.location_id = l.location_id) promised
     where (l.on_hand, l.reserved) is distinct from (moved.on_hand, moved.reserved) or l.reserved <> promised.units
       or promised.is_short or promised.aside > l.on_hand`,
  );
  expect(rows).toEqual([]);
  expect(await asideOf(stack)).toEqual([]);
}

/** Orders of which other units are set aside than stand ready for somebody. */
async function asideOf(stack: Stack): Promise<Json[]> {
  const { rows } = await stack.owner.query(
    `with ready as (
       select f.order_id, coalesce(c.sku_id, i.sku_id) as sku_id, fi.quantity * coalesce(c.quantity, 1) as units
       from fulfillments f
       join fulfillment_items fi on fi.fulfillment_id = f.id
       join order_items i on i.id = fi.order_item_id
       left join lateral jsonb_to_recordset(i.components) as c(sku_id uuid, quantity int) on true
       where f.status = 'ready_for_pickup' and f.shipped_at is null
       union all
       select order_id, sku_id, -set_aside from reservations where order_id is not null
     )
     select order_id, sku_id, sum(units)::int as units from ready group by 1, 2 having sum(units) <> 0`,
  );
  return rows;
}
