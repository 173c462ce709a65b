import { nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import type { PaymentDetail, PaymentQuery } from '../schema.ts';

/** A payment with its ledger; states and sums are computed from it. */
export interface DetailRow extends Pick<
  PaymentDetail,
  | 'id'
  | 'order_id'
  | 'provider'
  | 'capture'
  | 'currency'
  | 'amount'
  | 'waived_amount'
  | 'provider_reference'
  | 'created_at'
  | 'in_doubt'
> {
  waits_for_buyer: boolean;
  transactions: PaymentDetail['transactions'];
}

/** What a pending order was asked to be charged is in doubt as well, unless it is known to wait for its buyer or a bank. */
const inDoubt = sql`exists (
  select from (
    select q.payment_id from payment_request_leases l join payment_transactions q on q.id = l.request_id
    where not exists (
      select from payment_transactions r where r.request_id = q.id and r.outcome in ('success', 'failure'))
    union all
    select c.id from orders o join payments c on c.order_id = o.id
    where o.status = 'pending' and not exists (
      select from payment_transactions r where r.payment_id = c.id and r.outcome in ('pending', 'success', 'failure'))
  ) open where open.payment_id = p.id)`;

/** Times within JSON as the rest of the contract writes them. */
const rfc3339 = sql`to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

function payments(where: Sql, tail: Sql): Sql<DetailRow> {
  return sql<DetailRow>`
    select p.id, p.order_id, p.provider, p.capture, p.currency, p.amount, p.waived_amount, p.provider_reference,
      p.created_at,
      p.next_action is not null as waits_for_buyer, ${inDoubt} as in_doubt, coalesce((
        select jsonb_agg(jsonb_build_object('id', t.id, 'kind', t.kind, 'outcome', t.outcome, 'amount', t.amount,
          'request_id', t.request_id, 'provider_reference', t.provider_reference, 'event_reference', t.event_reference,
          'reason', t.reason, 'created_at', ${rfc3339}) order by t.created_at, t.id)
        from payment_transactions t where t.payment_id = p.id), '[]'::jsonb) as transactions
    from payments p where ${where} ${tail}`;
}

export function paymentDetail(id: string): Sql<DetailRow> {
  return payments(sql`p.id = ${id}::uuid`, nothing);
}

export function paymentOfRequest(requestId: string): Sql<DetailRow> {
  return payments(sql`p.id = (select payment_id from payment_transactions where id = ${requestId}::uuid)`, nothing);
}

/** Newest first. */
export function paymentPage(query: PaymentQuery, before: string | null): Sql<DetailRow> {
  return payments(
    sql`true
      ${query.order_id === undefined ? nothing : sql`and p.order_id = ${query.order_id}::uuid`}
      ${query.in_doubt === undefined ? nothing : sql`and ${inDoubt}`}
      ${before === null ? nothing : sql`and p.id < ${before}::uuid`}`,
    sql`order by p.id desc limit ${query.limit + 1}::int`,
  );
}
