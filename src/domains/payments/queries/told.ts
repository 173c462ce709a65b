import { sql, type Sql } from '../../../platform/db/sql.ts';
import { hasNoResult, leaseRequest } from './requests.ts';

export interface ToldRow {
  id: string;
  paymentId: string;
  kind: 'capture' | 'void' | 'refund' | 'chargeback';
  outcome: 'success' | 'failure';
  /** Minor units. */
  amount: number;
  /** The provider's own id of it: what is told twice is written once. */
  eventReference: string;
}

/** Nobody here has asked for a capture or a void of what is authorized. */
const isLeftAuthorized = sql`
  b.authorized > 0 and not b.voided and not b.open_void and b.captured + b.open_capture = 0`;

export interface Authorization {
  is_left: boolean;
  /** The capture or void whose outcome nobody knows yet. */
  open_request: string | null;
}

export function authorizationOf(paymentId: string): Sql<Authorization> {
  return sql<Authorization>`
    select ${isLeftAuthorized} as is_left, (
      select t.id from payment_transactions t join payment_request_leases l on l.request_id = t.id
      where t.payment_id = b.payment_id and t.kind in ('capture', 'void') and ${hasNoResult}
      order by t.id limit 1) as open_request
    from payment_balances b where b.payment_id = ${paymentId}::uuid`;
}

/** What the provider tells by itself, under the lock of the payment. */
export function appendTold({ id, paymentId, kind, outcome, amount, eventReference }: ToldRow): Sql[] {
  const isNews = kind === 'capture' || kind === 'void' ? isLeftAuthorized : sql`true`;
  return [
    sql`select id from payments where id = ${paymentId}::uuid for update`,
    sql`
      insert into payment_transactions (id, payment_id, kind, outcome, amount, event_reference, actor)
      select ${id}::uuid, b.payment_id, ${kind}, ${outcome}, ${amount}::bigint, ${eventReference}, 'provider'
      from payment_balances b where b.payment_id = ${paymentId}::uuid and ${isNews}
      on conflict do nothing`,
  ];
}

export interface UndueReturn {
  /** Of the request, and of what it is for. */
  requestId: string;
  refundId: string;
  paymentId: string;
  /** The entry by which the money came. */
  toldId: string;
}

/**
 * Money that was told to have been taken, or won back, although it was waived, since its units are canceled, is asked back
 * in the same batch: once, by whoever wrote that it came. Nothing where that entry is not there or none of it is too much.
 */
export function returnUndue({ requestId, refundId, paymentId, toldId }: UndueReturn): Sql {
  const undue = sql`b.captured - b.refunded - b.charged_back - b.open_refund - (p.amount - p.waived_amount)`;
  return sql`
    with opened as (
      insert into payment_transactions (id, payment_id, kind, outcome, amount, provider_reference, actor)
      select ${requestId}::uuid, p.id, 'refund', 'request', ${undue}, p.provider_reference, 'provider'
      from payments p join payment_balances b on b.payment_id = p.id
      where p.id = ${paymentId}::uuid and ${undue} > 0
        and exists (select from payment_transactions told where told.id = ${toldId}::uuid)
      on conflict do nothing
      returning id, payment_id, amount
    ), leased as (
      ${leaseRequest(sql`opened`)}
    )
    insert into refunds (id, order_id, payment_id, request_id, amount, reason)
    select ${refundId}::uuid, p.order_id, p.id, opened.id, opened.amount, 'order_canceled'
    from opened join payments p on p.id = opened.payment_id`;
}

/** What marks the entry by which money came for an order that had failed. */
const LATE = sql`reason = 'order_failed'`;

/** Whether it is written down that the money of a failed order came. */
export function lateEntryOf(paymentId: string): Sql<{ id: string }> {
  return sql<{ id: string }>`
    select id from payment_transactions where payment_id = ${paymentId}::uuid and ${LATE} limit 1`;
}

export interface LateMoney {
  paymentId: string;
  /** The provider's name of the payment. */
  reference: string;
  came: { id: string; kind: 'capture' | 'authorize'; amount: number };
  /** Minor units that have not gone back yet; what a bank took back is left out here. */
  left: number;
  requestId: string;
  refundId: string;
}

/**
 * Money that came after its order had failed, once, however often it is told, and with it the request that gives it back.
 * None of it is due: what else comes of the payment goes back as well. The payment row is the lock.
 */
export function recordLate({ paymentId, reference, came, left, requestId, refundId }: LateMoney): Sql[] {
  const verb = came.kind === 'capture' ? 'refund' : 'void';
  return [
    sql`
      update payments set provider_reference = coalesce(provider_reference, ${reference}), waived_amount = amount
      where id = ${paymentId}::uuid`,
    sql`
      with came as (
        insert into payment_transactions (id, payment_id, kind, outcome, amount, provider_reference, reason, actor)
        select ${came.id}::uuid, ${paymentId}::uuid, ${came.kind}, 'success', ${came.amount}::bigint, ${reference},
          'order_failed', 'provider'
        where not exists (select from payment_transactions where payment_id = ${paymentId}::uuid and ${LATE})
        returning payment_id
      ), opened as (
        insert into payment_transactions (id, payment_id, kind, outcome, amount, provider_reference, actor)
        select ${requestId}::uuid, b.payment_id, ${verb}, 'request', ${left}::bigint - b.charged_back, ${reference},
          'provider'
        from came join payment_balances b on b.payment_id = came.payment_id
        where ${left}::bigint > b.charged_back
        returning id, payment_id, amount
      ), leased as (
        ${leaseRequest(sql`opened`)}
      )
      insert into refunds (id, order_id, payment_id, request_id, amount, reason)
      select ${refundId}::uuid, p.order_id, p.id, opened.id, opened.amount, 'order_failed'
      from opened join payments p on p.id = opened.payment_id where ${verb} = 'refund'`,
  ];
}

export interface KnownRefund {
  reference: string;
  has_succeeded: boolean;
  has_failed: boolean;
}

/** What the ledger holds of these: told before, or as the result of a request of ours. */
export function knownRefunds(paymentId: string, references: readonly string[]): Sql<KnownRefund> {
  return sql<KnownRefund>`
    select given.reference, coalesce(bool_or(t.outcome = 'success'), false) as has_succeeded,
      coalesce(bool_or(t.outcome = 'failure'), false) as has_failed
    from unnest(${references}::text[]) as given(reference)
    left join payment_transactions t on t.payment_id = ${paymentId}::uuid and t.kind = 'refund'
      and given.reference in (t.event_reference, t.provider_reference)
    group by given.reference`;
}

/** Whether a refund that had succeeded, a row of the ledger by this alias, has failed after all. */
export function hasFailedSince(success: 'result' | 't'): Sql {
  const row = success === 'result' ? sql`result` : sql`t`;
  return sql`
    exists (select from payment_transactions undone where undone.payment_id = ${row}.payment_id
      and undone.kind = 'refund' and undone.outcome = 'failure' and undone.request_id is null
      and undone.event_reference = coalesce(${row}.event_reference, ${row}.provider_reference))`;
}
