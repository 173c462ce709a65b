import { json, sql, type Sql } from '../../../platform/db/sql.ts';
import { emitEventsFrom } from '../../events/index.ts';
import { IN_TENS } from '../providers/stripe-units.ts';
import { PAYMENT_MOVES, PAYMENT_STATUSES, type PaymentMove } from '../rules.ts';
import type { ProviderName } from '../service.ts';

export type RequestKind = PaymentMove;

/** The event that tells of it. */
export const DONE: Record<RequestKind, string> = {
  capture: 'payment.captured',
  void: 'payment.voided',
  refund: 'payment.refunded',
};

/** What a verb asks of a payment. `amount` in minor units; null is all that is left. */
export interface NewRequest {
  /** The provider's idempotency key, made before the first call. */
  id: string;
  /** Of the result that a payment without an outside provider has at once. */
  resultId: string;
  paymentId: string;
  kind: RequestKind;
  amount: number | null;
  /** Who asked, as the ledger keeps it. */
  actor: string;
}

/** Seconds for which nobody else asks about a request; longer than any provider call may take. */
const LEASE_S = 60;
/** Seconds before the tick asks about a request again; doubled with each try, up to an hour. Whoever retries need not wait. */
const BACKOFF_S = 5;
const BACKOFF_MAX_S = 3600;

const dueAmount = sql`p.amount - p.waived_amount`;
/** What is authorized is captured or voided once, by one request at a time; money by hand comes in parts. */
const isUntaken = sql`b.captured + b.open_capture = 0`;

/** How much a request of a kind could still be for; a view of the ledger, so open requests count. */
const LEFT: Record<RequestKind, Sql> = {
  capture: sql`greatest(case when p.provider = 'manual' then ${dueAmount} - b.captured - b.open_capture
    when ${isUntaken} then least(b.authorized, ${dueAmount}) else 0 end, 0)`,
  void: sql`greatest(b.authorized, case p.provider when 'manual' then p.amount else 0 end)`,
  refund: sql`greatest(b.captured - b.refunded - b.charged_back - b.open_refund, 0)`,
};

function statesWith(kind: RequestKind, moves: (typeof PAYMENT_MOVES)['manual']): readonly string[] {
  return PAYMENT_STATUSES.filter((status) => moves[status].includes(kind));
}

/** Whether the state has the move, and the payment any money for it that nobody asks for yet. */
function isAllowed(kind: RequestKind): Sql {
  const [byHand, byProvider] = [statesWith(kind, PAYMENT_MOVES.manual), statesWith(kind, PAYMENT_MOVES.provider)];
  const isFree = {
    capture: sql`not b.voided and not b.open_void`,
    void: sql`not b.voided and not b.open_void and ${isUntaken}`,
    refund: sql`true`,
  };
  return sql`
    (b.status = any(case p.provider when 'manual' then ${byHand}::text[] else ${byProvider}::text[] end)
      and ${LEFT[kind]} > 0 and ${isFree[kind]})`;
}

/** The moves that the payment has left, for whoever tried another one. `b` is its balance and `p` the payment. */
export const legalMoves = sql`
  to_jsonb(array_remove(array[
    case when ${isAllowed('capture')} then 'capture' end,
    case when ${isAllowed('void')} then 'void' end,
    case when ${isAllowed('refund')} then 'refund' end], null))`;

/** From now on it is asked about until it has its result; the rows of `requests` have its id. */
export function leaseRequest(requests: Sql): Sql {
  return sql`
    insert into payment_request_leases (request_id, next_at)
    select r.id, now() + make_interval(secs => ${BACKOFF_S}::int) from ${requests} r`;
}

/**
 * Checks state and amount under the lock of the payment and writes the request. A payment by hand has its result in the
 * same batch; any other is settled after it (see settleRequest).
 */
export function openRequest({ id, resultId, paymentId, kind, amount, actor }: NewRequest): Sql[] {
  const left = LEFT[kind];
  return [
    sql`select id from payments where id = ${paymentId}::uuid for update`,
    sql`
      select
        require(p.id is not null, 'not_found', '{"param": "id", "message": "No such payment."}'),
        require(${isAllowed(kind)}, 'illegal_transition', jsonb_build_object('message', 'The payment does not take this now.',
          'members', jsonb_build_object('from', b.status, 'legal', ${legalMoves}))),
        require(coalesce(${amount}::bigint, ${left}) <= ${left}, 'validation_failed', jsonb_build_object('param', 'amount',
          'message', format('At most %s is left.', ${left}), 'members', jsonb_build_object('left', ${left}))),
        require(${kind} = 'void' or p.provider <> 'stripe' or p.currency <> all(${IN_TENS}::text[])
          or coalesce(${amount}::bigint, ${left}) % 10 = 0, 'validation_failed', jsonb_build_object('param', 'amount',
          'message', format('Stripe takes %s in whole tens of its smallest unit only.', p.currency)))
      from (select 1) always
      left join payments p on p.id = ${paymentId}::uuid
      left join payment_balances b on b.payment_id = p.id`,
    sql`
      insert into payment_transactions (id, payment_id, kind, outcome, amount, provider_reference, actor)
      select ${id}::uuid, p.id, ${kind}, 'request', coalesce(${amount}::bigint, ${left}), p.provider_reference, ${actor}
      from payments p join payment_balances b on b.payment_id = p.id
      where p.id = ${paymentId}::uuid`,
    leaseRequest(sql`(
      select t.id from payment_transactions t join payments p on p.id = t.payment_id
      where t.id = ${id}::uuid and p.provider <> 'manual')`),
    sql`
      insert into payment_transactions (id, payment_id, kind, outcome, amount, request_id, actor)
      select ${resultId}::uuid, t.payment_id, t.kind, 'success', t.amount, t.id, t.actor
      from payment_transactions t join payments p on p.id = t.payment_id
      where t.id = ${id}::uuid and p.provider = 'manual'`,
    emitEventsFrom(sql`
      select t.id, ${DONE[kind]}, t.payment_id,
        jsonb_build_object('order_id', p.order_id, 'amount', t.amount, 'currency', p.currency)
      from payment_transactions t join payments p on p.id = t.payment_id where t.id = ${resultId}::uuid`),
  ];
}

export interface OpenRequestRow {
  id: string;
  payment_id: string;
  order_id: string;
  provider: ProviderName;
  kind: RequestKind;
  amount: number;
  payment_amount: number;
  currency: string;
  provider_reference: string | null;
  /** How often it has been asked about, this time included. */
  attempts: number;
}

/** Of a row \`t\`. */
export const hasNoResult = sql`
  not exists (select from payment_transactions r where r.request_id = t.id and r.outcome in ('success', 'failure'))`;

/** No row: it has its result already. */
export function openRequestById(id: string): Sql<{ id: string }> {
  return sql<{ id: string }>`
    select t.id from payment_transactions t where t.id = ${id}::uuid and t.outcome = 'request' and ${hasNoResult}`;
}

/** Takes requests that nobody asks about right now: this one, or those whose turn it is, the longest waiting first. */
export function takeRequests(id: string | null, limit: number): Sql<OpenRequestRow> {
  return sql<OpenRequestRow>`
    with due as (
      select l.request_id from payment_request_leases l join payment_transactions t on t.id = l.request_id
      where l.lease_until <= now() and ${hasNoResult}
        and ${id === null ? sql`l.next_at <= now()` : sql`l.request_id = ${id}::uuid`}
      order by l.next_at limit ${limit}::int
      for update of l skip locked
    ), taken as (
      update payment_request_leases l
      set lease_until = now() + make_interval(secs => ${LEASE_S}::int), attempts = l.attempts + 1
      from due where l.request_id = due.request_id
      returning l.request_id, l.attempts
    )
    select t.id, t.payment_id, p.order_id, p.provider, t.kind, t.amount, p.amount as payment_amount, p.currency,
      p.provider_reference, taken.attempts
    from taken join payment_transactions t on t.id = taken.request_id
    join payments p on p.id = t.payment_id order by t.id`;
}

/** Still in doubt: whoever retries may ask at once, the tick later each time. */
export function postponeRequest(id: string): Sql {
  return sql`
    update payment_request_leases set lease_until = now(), next_at = now() + make_interval(
      secs => least(${BACKOFF_S}::int * power(2, least(attempts, 12) - 1), ${BACKOFF_MAX_S}::int))
    where request_id = ${id}::uuid`;
}

export interface NewResult {
  id: string;
  requestId: string;
  outcome: 'success' | 'failure';
  reference: string | null;
  reason: string | null;
}

/** The result of a request, once, however many learn of it, under the lock of its payment. Nobody asks about it any more. */
export function appendResult({ id, requestId, outcome, reference, reason }: NewResult): Sql[] {
  return [
    sql`
      select p.id from payments p join payment_transactions t on t.payment_id = p.id
      where t.id = ${requestId}::uuid for update of p`,
    sql`
      insert into payment_transactions (id, payment_id, kind, outcome, amount, provider_reference, reason, request_id, actor)
      select ${id}::uuid, t.payment_id, t.kind, ${outcome}, t.amount, ${reference}, ${reason}, t.id, t.actor
      from payment_transactions t where t.id = ${requestId}::uuid and ${hasNoResult}
      on conflict do nothing`,
    sql`delete from payment_request_leases where request_id = ${requestId}::uuid`,
  ];
}

/** Whether this very result is the one that was written. */
export function hasResult(id: string): Sql {
  return sql`exists (select from payment_transactions where id = ${id}::uuid)`;
}

export interface NewRefund {
  id: string;
  orderId: string;
  requestId: string;
  shippingAmount: number;
  reason: string;
  items: readonly { order_item_id: string; quantity: number; amount: number }[];
}

/** What a refund is for; its amount and what became of it are its request's. */
export function insertRefund({ id, orderId, requestId, shippingAmount, reason, items }: NewRefund): Sql[] {
  return [
    sql`
      insert into refunds (id, order_id, payment_id, request_id, amount, shipping_amount, reason)
      select ${id}::uuid, ${orderId}::uuid, t.payment_id, t.id, t.amount, ${shippingAmount}::bigint, ${reason}
      from payment_transactions t where t.id = ${requestId}::uuid`,
    sql`
      insert into refund_items (refund_id, order_item_id, quantity, amount)
      select ${id}::uuid, i.order_item_id, i.quantity, i.amount
      from jsonb_to_recordset(${json(items)}::jsonb) as i(order_item_id uuid, quantity int, amount bigint)`,
  ];
}
