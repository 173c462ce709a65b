import { json, sql, type Sql } from '../../../platform/db/sql.ts';
import type { NextAction } from '../provider.ts';
import type { TransactionRow } from '../rules.ts';
import type { ProviderName } from '../service.ts';

export interface PaymentRow {
  id: string;
  order_id: string;
  provider: ProviderName;
  capture: 'automatic' | 'manual';
  currency: string;
  /** Minor units. */
  amount: number;
  token: string | null;
  provider_reference: string | null;
}

export function insertPayment(payment: Omit<PaymentRow, 'provider_reference'>): Sql {
  return sql`
    insert into payments (id, order_id, provider, capture, currency, amount, token)
    values (${payment.id}::uuid, ${payment.order_id}::uuid, ${payment.provider}, ${payment.capture},
      ${payment.currency}, ${payment.amount}::bigint, ${payment.token})`;
}

export interface NewTransaction extends TransactionRow {
  /** Made before the batch, so that a resend appends it once. */
  id: string;
  payment_id: string;
  provider_reference: string | null;
  reason: string | null;
}

export function appendTransaction(row: NewTransaction): Sql {
  return sql`
    insert into payment_transactions (id, payment_id, kind, outcome, amount, provider_reference, reason)
    values (${row.id}::uuid, ${row.payment_id}::uuid, ${row.kind}, ${row.outcome}, ${row.amount}::bigint,
      ${row.provider_reference}, ${row.reason})
    on conflict (id) do nothing`;
}

export interface Returned {
  payment: PaymentRow;
  /** What had come through, and what took it back. */
  came: NewTransaction['kind'];
  went: NewTransaction['kind'];
  amount: number;
  ids: { came: string; went: string };
}

/** Both rows once, however often the same return is recorded; the payment row is the lock. */
export function recordReturn({ payment, came, went, amount, ids }: Returned): Sql[] {
  return [
    sql`select id from payments where id = ${payment.id}::uuid for update`,
    sql`
      insert into payment_transactions (id, payment_id, kind, outcome, amount, provider_reference, reason)
      select r.id, ${payment.id}::uuid, r.kind, 'success', ${amount}::bigint, ${payment.provider_reference}, 'order_failed'
      from (values (${ids.came}::uuid, ${came}), (${ids.went}::uuid, ${went})) as r(id, kind)
      where not exists (
        select from payment_transactions t where t.payment_id = ${payment.id}::uuid and t.reason = 'order_failed')`,
  ];
}

/** What the provider told: its reference, and what the buyer must do next if anything. A settled payment drops its token. */
export function noteProviderState(
  paymentId: string,
  state: { reference: string | null; nextAction: NextAction | null; settled: boolean },
): Sql {
  return sql`
    update payments set
      provider_reference = coalesce(${state.reference}, provider_reference),
      next_action = ${state.nextAction && json(state.nextAction)}::jsonb,
      token = case when ${state.settled}::boolean then null else token end
    where id = ${paymentId}::uuid`;
}

/** What a settled payment may still hold of its buyer; the ledger holds amounts and the provider's references. */
export function erasePayments(orderIds: Sql): Sql {
  return sql`
    update payments set token = null, next_action = null
    where order_id in ${orderIds} and (token is not null or next_action is not null)`;
}

/** Stored before it acts, once however often it is delivered. */
export function storeWebhook(provider: string, event: { id: string; type: string; paymentId: string | null }): Sql {
  return sql`
    insert into payment_webhook_events (provider, event_id, payment_id, type)
    values (${provider}, ${event.id}, ${event.paymentId}::uuid, ${event.type})
    on conflict (provider, event_id) do nothing`;
}

/** By our own id, or by the provider's name of it, where an event does not carry ours. */
export function paymentOfEvent(provider: string, id: string | null, reference: string | null): Sql<PaymentRow> {
  return sql<PaymentRow>`
    select id, order_id, provider, capture, currency, amount, token, provider_reference
    from payments where provider = ${provider} and (id = ${id}::uuid or provider_reference = ${reference})
    order by id = ${id}::uuid desc nulls last limit 1`;
}

export interface ToldRow {
  id: string;
  paymentId: string;
  kind: 'capture' | 'void' | 'refund' | 'chargeback';
  outcome: 'success' | 'failure';
  amount: number;
  /** The provider's own id of it: what is told twice is written once. */
  eventReference: string;
}

/** Nobody here has asked for a capture or a void of what is authorized. */
const isLeftAuthorized = sql`
  b.authorized > 0 and not b.voided and not b.open_void and b.captured + b.open_capture = 0`;

export function leftAuthorized(paymentId: string): Sql<{ payment_id: string }> {
  return sql<{ payment_id: string }>`
    select b.payment_id from payment_balances b where b.payment_id = ${paymentId}::uuid and ${isLeftAuthorized}`;
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

/** Which of these the ledger does not know: told before, or the result of a request of ours. */
export function unknownRefunds(paymentId: string, references: readonly string[]): Sql<{ reference: string }> {
  return sql<{ reference: string }>`
    select given.reference from unnest(${references}::text[]) as given(reference)
    where not exists (
      select from payment_transactions t where t.payment_id = ${paymentId}::uuid and t.kind = 'refund'
        and t.outcome = 'success' and (t.event_reference = given.reference or t.provider_reference = given.reference))`;
}

/** `error` is a code. */
export function noteWebhookFailure(provider: string, eventId: string, error: string): Sql {
  return sql`
    update payment_webhook_events set attempts = attempts + 1, last_error = ${error}
    where provider = ${provider} and event_id = ${eventId} and applied_at is null`;
}

export interface WebhookRow {
  provider: ProviderName;
  event_id: string;
}

/** Tries after which people have to look: with the waits between them, about three days. */
const ATTEMPTS_MAX = 12;

/** Events that could not be applied yet and whose turn it is; each time they wait twice as long, from one minute on. */
export function unappliedWebhooks(limit: number): Sql<WebhookRow> {
  return sql<WebhookRow>`
    select provider, event_id from payment_webhook_events
    where applied_at is null and attempts < ${ATTEMPTS_MAX}::int
      and received_at + make_interval(mins => power(2, attempts)::int) <= now()
    order by received_at limit ${limit}::int`;
}

export function appliedWebhook(provider: string, eventId: string): Sql<{ applied_at: string }> {
  return sql<{ applied_at: string }>`
    select applied_at from payment_webhook_events
    where provider = ${provider} and event_id = ${eventId} and applied_at is not null`;
}

export function markWebhookApplied(provider: string, eventId: string): Sql {
  return sql`
    update payment_webhook_events set applied_at = coalesce(applied_at, now())
    where provider = ${provider} and event_id = ${eventId}`;
}

/** Applied so long ago. A provider that tells it once more is asked for the state as it is then, which changes nothing. */
export function removeAppliedWebhooks(keptDays: number, limit: number): Sql {
  return sql`
    delete from payment_webhook_events where (provider, event_id) in (
      select provider, event_id from payment_webhook_events
      where applied_at < now() - make_interval(days => ${keptDays}::int)
      limit ${limit}::int for update skip locked)`;
}

/** Given up, and seen by nobody for so long. */
export function removeUnappliedWebhooks(keptDays: number, limit: number): Sql {
  return sql`
    delete from payment_webhook_events where (provider, event_id) in (
      select provider, event_id from payment_webhook_events
      where applied_at is null and attempts >= ${ATTEMPTS_MAX}::int
        and received_at < now() - make_interval(days => ${keptDays}::int)
      limit ${limit}::int for update skip locked)`;
}
