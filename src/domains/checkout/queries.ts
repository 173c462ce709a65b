import { json, sql, type Sql } from '../../platform/db/sql.ts';
import type { Claim } from '../../platform/http/idempotency.ts';
import { emitEvent } from '../events/index.ts';
import { ownedCart } from '../cart/index.ts';
import {
  becauseOf,
  commitReserved,
  componentsOf,
  lockKits,
  lockLevels,
  releaseOverdueOf,
  releaseReserved,
  requireReserved,
  reserveStock,
} from '../inventory/index.ts';
import { appendTransaction, insertPayment, type PaymentRow } from '../payments/index.ts';
import { isSettledAtOnce, type OrderPlan } from './rules.ts';

/** Seconds for which nobody else may settle an order. A worker that takes longer is overtaken, and the fence stops it. */
const LEASE_S = 30;

const leaseEnd = sql`now() + make_interval(secs => ${LEASE_S}::int)`;

/**
 * Claims the key for an order; the row points at the order that a retry goes on with. This batch never waits for a
 * provider, so a twin that blocks on the row learns of it soon.
 */
function claimOrderKey(claim: Claim | null, orderId: string): Sql[] {
  if (!claim) return [];
  return [
    sql`
      with claimed as (
        insert into idempotency_keys (scope, key, request_hash, state, attempt, lease_until, resource_id)
        values (${claim.scope}, ${claim.key}, ${claim.requestHash}, 'in_flight', ${claim.attempt}::uuid, ${leaseEnd},
          ${orderId})
        on conflict (scope, key) do nothing
        returning 1
      )
      select require(exists (select from claimed), 'idempotency_conflict')`,
  ];
}

/** The cart stands still from here: nobody edits it, and the version that was priced is the one that is ordered. */
function closeCart({ cart }: OrderPlan, customerId: string | null): Sql[] {
  return [
    sql`
      select
        require(c.id is not null, 'not_found', '{"param": "cart_id", "message": "No such cart."}'),
        require(c.status = 'open', 'cart_already_completed', '{"param": "cart_id", "message": "This cart has an order."}'),
        require(c.version = ${cart.version}::int, 'cart_changed',
          '{"param": "cart_id", "message": "The cart was changed while it was being ordered."}')
      from (select 1) always left join (select * from carts c where c.id = ${cart.id} and ${ownedCart(customerId)}) c on true`,
    sql`
      update carts set status = 'completing', version = version + 1, updated_at = now(),
        customer_id = coalesce(customer_id, ${customerId}::uuid)
      where id = ${cart.id}`,
  ];
}

/** Waits for whoever changes the cart; a resend of this very batch then meets its own order. */
function lockCart({ cart, orderId }: OrderPlan): Sql[] {
  return [
    sql`select c.id from carts c where c.id = ${cart.id} for update`,
    sql`select require(not exists (select from orders where id = ${orderId}::uuid), 'already_applied')`,
  ];
}

function insertOrder(plan: OrderPlan, customerId: string | null): Sql[] {
  const { cart, totals } = plan;
  return [
    sql`
      insert into orders (id, number, status, cart_id, customer_id, email, market_id, currency, tax_inclusive,
        shipping_address, billing_address, shipping_option_name, note, discount_codes, promotions,
        subtotal, discount_total, shipping_total, shipping_tax_total, tax_total, gift_card_total, total,
        attempt, lease_until)
      values (${plan.orderId}::uuid, ${plan.number}, 'pending', ${cart.id}, ${customerId}::uuid, ${cart.email},
        ${cart.market_id}::uuid, ${cart.currency}, ${cart.tax_inclusive}::boolean,
        ${json(cart.shipping_address)}::jsonb, ${json(cart.billing_address ?? cart.shipping_address)}::jsonb,
        ${plan.shippingOption.name}, ${cart.note}, ${cart.discounts.map((discount) => discount.code)}::text[],
        ${json(plan.promotions)}::jsonb,
        ${totals.subtotal}::bigint, ${totals.discount_total}::bigint, ${totals.shipping_total}::bigint,
        ${totals.shipping_tax_total}::bigint, ${totals.tax_total}::bigint, ${totals.gift_card_total}::bigint,
        ${totals.total}::bigint, ${plan.attempt}::uuid, ${leaseEnd})`,
    sql`
      insert into order_items (id, order_id, position, sku_id, sku_code, title, quantity, unit_price, subtotal,
        discount_total, tax_rate_ppm, tax_total, total, components)
      select i.id, ${plan.orderId}::uuid, i.position, i.sku_id, i.sku_code, i.title, i.quantity, i.unit_price, i.subtotal,
        i.discount_total, i.tax_rate_ppm, i.tax_total, i.total, ${componentsOf(sql`i.sku_id`)}
      from jsonb_to_recordset(${json(plan.items.map((item, position) => ({ ...item, position })))}::jsonb)
        as i(id uuid, position int, sku_id uuid, sku_code text, title text, quantity int, unit_price bigint,
          subtotal bigint, discount_total bigint, tax_rate_ppm int, tax_total bigint, total bigint)`,
  ];
}

/** What of it has yet to come: units were taken last, so a level that promises more than is there promises them to it. */
function freezeBackorder({ orderId }: OrderPlan): Sql {
  return sql`
    update order_items i set backorder = true, expected_at = late.expected_at
    from (
      select li.id,
        case when count(*) = count(*) filter (where l.expected_at > now()) then max(l.expected_at) end as expected_at
      from order_items li
      join reservations r on r.order_id = li.order_id and (r.sku_id = li.sku_id
        or li.components @> jsonb_build_array(jsonb_build_object('sku_id', r.sku_id)))
      join stock_levels l on l.sku_id = r.sku_id and l.location_id = r.location_id
      where li.order_id = ${orderId}::uuid and l.reserved > l.on_hand - l.safety_stock
      group by li.id
    ) late
    where i.id = late.id`;
}

function openPayment(plan: OrderPlan): Sql[] {
  const { provider, token, capture } = plan.payment;
  const amount = plan.totals.total;
  return [
    insertPayment({
      id: plan.paymentId,
      order_id: plan.orderId,
      provider,
      capture,
      currency: plan.cart.currency,
      amount,
      token: isSettledAtOnce(plan) ? null : token,
    }),
    appendTransaction({
      id: plan.requestId,
      payment_id: plan.paymentId,
      kind: capture === 'manual' && amount > 0 ? 'authorize' : 'capture',
      outcome: amount === 0 ? 'success' : 'request',
      amount,
      provider_reference: null,
      reason: null,
    }),
  ];
}

/** Batch 1: everything a resume needs, or nothing. Where no provider has to be asked it confirms the order as well. */
export function placeStatements(plan: OrderPlan, customerId: string | null, claim: Claim | null): Sql[] {
  const lines = plan.items.map((item, index) => ({ ...item, param: `items[${index}]` }));
  return [
    ...lockCart(plan),
    ...claimOrderKey(claim, plan.orderId),
    ...closeCart(plan, customerId),
    lockKits(plan.items),
    ...insertOrder(plan, customerId),
    ...openPayment(plan),
    lockLevels(plan.items),
    becauseOf('hold_expired'),
    releaseOverdueOf(plan.items),
    becauseOf('order_placed', plan.orderId),
    reserveStock(plan.orderId, plan.items, plan.cart.shipping_address?.country ?? null),
    requireReserved(plan.orderId, lines),
    freezeBackorder(plan),
    ...(isSettledAtOnce(plan) ? confirmStatements({ ...plan, id: plan.orderId }) : []),
  ];
}

/** The state of an order's payment, taken over for this attempt. */
export interface TakenOrder {
  id: string;
  attempt: string;
  cart_id: string;
  number: string;
  currency: string;
  total: number;
  /** Whether the buyer has had long enough to finish a payment that waits for them. */
  is_abandoned: boolean;
  /** Whether the provider may have forgotten the idempotency key of the charge, so that asking again could charge twice. */
  is_stale: boolean;
  payment: PaymentRow;
}

/** Minutes that a payment may wait for its buyer before it is given up. */
const BUYER_WAIT_MIN = 60;
/** Hours for which a charge may be asked again; Stripe keeps its keys for a day. */
const CHARGE_AGAIN_H = 20;

/** Takes a pending order whose lease has ended; no row means that somebody works on it, or that it is settled. */
export function takeOver(orderId: string, attempt: string): Sql<TakenOrder> {
  return sql<TakenOrder>`
    update orders o set attempt = ${attempt}::uuid, lease_until = ${leaseEnd}
    where o.id = ${orderId}::uuid and o.status = 'pending' and o.lease_until <= now()
    returning o.id, o.attempt, o.cart_id, o.number, o.currency, o.total,
      o.created_at < now() - make_interval(mins => ${BUYER_WAIT_MIN}::int) as is_abandoned,
      o.created_at < now() - make_interval(hours => ${CHARGE_AGAIN_H}::int) as is_stale,
      (select jsonb_build_object('id', p.id, 'order_id', p.order_id, 'provider', p.provider, 'capture', p.capture,
        'currency', p.currency, 'amount', p.amount, 'token', p.token, 'provider_reference', p.provider_reference)
       from payments p where p.order_id = o.id) as payment`;
}

/** The keys of a taken-over order follow its attempt, so a late first worker cannot store its reply. */
export function takeOverKeys(orderId: string, attempt: string): Sql {
  return sql`
    update idempotency_keys k set attempt = ${attempt}::uuid, lease_until = ${leaseEnd}
    from orders o
    where k.resource_id = ${orderId}::text and k.state = 'in_flight' and o.id = ${orderId}::uuid
      and o.attempt = ${attempt}::uuid`;
}

/**
 * Another key that came for an order: from now on it answers what that order comes to, or has come to a moment ago. The lock
 * waits for whoever settles it right now, who has closed the keys that there were and would never learn of this one.
 */
export function followOrder({ scope, key, requestHash, attempt }: Claim, orderId: string): Sql {
  return sql`
    insert into idempotency_keys (scope, key, request_hash, state, attempt, lease_until, resource_id)
    select ${scope}, ${key}, ${requestHash}, case o.status when 'pending' then 'in_flight' else 'done' end,
      ${attempt}::uuid, ${leaseEnd}, o.id
    from orders o where o.id = ${orderId}::uuid
    for share of o
    on conflict (scope, key) do nothing`;
}

/** Only the attempt that holds the order may finish it; a resend of its own finish passes. */
export function requireFence(orderId: string, attempt: string): Sql {
  return sql`
    select require(count(*) = 1, 'fence_lost')
    from (select 1 from orders where id = ${orderId}::uuid and attempt = ${attempt}::uuid for update) held`;
}

interface Finished {
  id: string;
  eventId: string;
  number: string;
  cart: { id: string; currency: string };
  totals: { total: number };
}

function closeKey(orderId: string, status: 201 | 402): Sql {
  return sql`
    update idempotency_keys set state = 'done', status = ${status}::int
    where resource_id = ${orderId} and state = 'in_flight'`;
}

/** The order is placed: its stock is promised for good, the cart is done, the world is told. Harmless to run twice. */
export function confirmStatements({ id, eventId, number, cart, totals }: Finished): Sql[] {
  return [
    commitReserved(id),
    sql`
      update orders set status = 'confirmed', placed_at = now(), version = version + 1
      where id = ${id}::uuid and status = 'pending'`,
    sql`update carts set status = 'completed', updated_at = now() where id = ${cart.id} and status = 'completing'`,
    emitEvent({
      id: eventId,
      type: 'order.placed',
      aggregateId: id,
      payload: { number, total: totals.total, currency: cart.currency },
    }),
    closeKey(id, 201),
  ];
}

/** The payment failed: the stock goes back on offer and the cart can be tried with another card. Harmless to run twice. */
export function failStatements({ id, eventId, number, cart, totals }: Finished): Sql[] {
  return [
    becauseOf('payment_failed', id),
    releaseReserved(id),
    // Before the order itself, and only while it is pending: in a resend the cart may be another order's already.
    sql`
      update carts set status = 'open', version = version + 1, updated_at = now()
      where id = ${cart.id} and status = 'completing'
        and exists (select from orders where id = ${id}::uuid and status = 'pending')`,
    sql`update orders set status = 'failed', version = version + 1 where id = ${id}::uuid and status = 'pending'`,
    emitEvent({
      id: eventId,
      type: 'order.payment_failed',
      aggregateId: id,
      payload: { number, total: totals.total, currency: cart.currency },
    }),
    closeKey(id, 402),
  ];
}

/** Everything is kept; whoever comes next may go on at once. */
export function endLease(orderId: string, attempt: string): Sql {
  return sql`
    update orders set lease_until = now()
    where id = ${orderId}::uuid and attempt = ${attempt}::uuid and status = 'pending'`;
}

/** The order waits for its buyer or bank: that is the reply, and the key is done. */
export function parkStatements(orderId: string, attempt: string): Sql[] {
  return [endLease(orderId, attempt), closeKey(orderId, 201)];
}

/** Minutes between two looks at a payment that waits for its buyer: its webhook comes sooner. */
const LOOK_AGAIN_MIN = 15;

/** Pending orders that nobody works on, the longest unattended first; those that only wait come last and seldom. */
export function unattendedOrders(limit: number): Sql<{ id: string }> {
  return sql<{ id: string }>`
    select o.id from orders o join payments p on p.order_id = o.id
    where o.status = 'pending' and o.lease_until <= now()
      and (p.provider_reference is null
        or o.lease_until < now() - make_interval(mins => ${LOOK_AGAIN_MIN}::int)
        or o.created_at < now() - make_interval(mins => ${BUYER_WAIT_MIN}::int))
    order by p.provider_reference is not null, o.lease_until
    limit ${limit}::int`;
}
