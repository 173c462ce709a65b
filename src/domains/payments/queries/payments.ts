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

/** Tries after which people have to look: the last one is 2^12 minutes after the event came, about three days. */
const ATTEMPTS_MAX = 13;

export const isWebhookGivenUp = sql`(applied_at is null and attempts >= ${ATTEMPTS_MAX}::int)`;

/** Events that could not be applied yet and whose turn it is: a minute after they came, two, four and so on. */
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
      where ${isWebhookGivenUp} and received_at < now() - make_interval(days => ${keptDays}::int)
      limit ${limit}::int for update skip locked)`;
}
