import { forEachAtOnce } from '../../platform/at-once.ts';
import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { describeCause } from '../../platform/http/problem.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import {
  appliedWebhook,
  applyDispute,
  markWebhookApplied,
  noteWebhookFailure,
  onlineProvider,
  paymentOfEvent,
  providerIfAvailable,
  reconcileAuthorized,
  reconcileRefunds,
  returnLatePayment,
  storeWebhook,
  unappliedWebhooks,
  type PaymentRow,
  type ProviderName,
  type WebhookEvent,
} from '../payments/index.ts';
import { answerOf } from './rules.ts';
import { resume } from './settle.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** After these no payment waits any more: an order that still does has not learned of it. */
const ENDS = /^payment_intent\.(succeeded|canceled|payment_failed|amount_capturable_updated)$/;
/** The card has not been asked by then: what the state looks like is no refusal. */
const BEGINS = 'payment_intent.created';
const RETRY_S = 60;

function inDoubt(message: string): AppError {
  return new AppError('payment_in_doubt', message, { retryAfterS: RETRY_S });
}

function assertKnown(isKnown: boolean): void {
  if (!isKnown) throw inDoubt('What was told could not be looked up. Deliver again.');
}

/** An order that waits for its payment is settled; of one that is placed, what was told is written down. */
async function apply(deps: Deps, payment: PaymentRow, event: WebhookEvent): Promise<void> {
  // Where the reply to the charge was lost, it has no name here yet.
  const named = { ...payment, provider_reference: payment.provider_reference ?? event.paymentReference };
  const order = await resume(deps, payment.order_id, null, event.type === BEGINS ? null : named.provider_reference);
  if (order.status === 'pending' && order.lease_live) {
    throw new AppError('idempotency_in_flight', 'The order is being settled. Deliver again.', { retryAfterS: 5 });
  }
  const isRefund = event.type.includes('refund');
  if (order.status === 'failed') {
    // What a bank took back is not given back once more.
    if (event.dispute) await applyDispute(deps, named, event.dispute);
    const isPaid = await returnLatePayment(deps, named);
    return isPaid || isRefund ? assertKnown(await reconcileRefunds(deps, named)) : undefined;
  }
  if (event.dispute) await applyDispute(deps, named, event.dispute);
  const isLearned = order.status !== 'pending' || (answerOf(order) === 'waiting' && !ENDS.test(event.type));
  if (!isLearned) throw inDoubt('The payment could not be looked up. Deliver again.');
  assertKnown(isRefund ? await reconcileRefunds(deps, named) : await reconcileAuthorized(deps, named));
}

/** True when it is applied for good. An event of a payment that nobody knows here stays, and is looked at again. */
async function storeAndApply(deps: Deps, name: ProviderName, event: WebhookEvent): Promise<boolean> {
  const paymentId = UUID.test(event.paymentId ?? '') ? event.paymentId : null;
  const [, [payment], [applied]] = await deps.db.writeResent(
    storeWebhook(name, { ...event, paymentId }),
    paymentOfEvent(name, paymentId, event.paymentReference),
    appliedWebhook(name, event.id),
  );
  if (applied) return true;
  const isOfPayment = event.paymentId !== null || event.paymentReference !== null;
  if (!payment && isOfPayment) {
    deps.log.log('warn', 'webhook of an unknown payment', { event_id: loggableId(event.id) });
    await deps.db.writeResent(noteWebhookFailure(name, event.id, 'unknown_payment'));
    return false;
  }
  try {
    if (payment) await apply(deps, payment, event);
  } catch (error) {
    await deps.db.writeResent(noteWebhookFailure(name, event.id, error instanceof AppError ? error.code : 'internal'));
    throw error;
  }
  await deps.db.writeResent(markWebhookApplied(name, event.id));
  return true;
}

/**
 * Stores the event under its unique id, then acts on it by asking the provider for the state as it is now: repeated and
 * out-of-order events converge. While another worker holds the order, or the outcome is not known, the provider is asked to
 * deliver again.
 */
export async function receiveWebhook(deps: Deps, name: ProviderName, headers: Headers, body: string): Promise<void> {
  const event = await onlineProvider(deps, name).readWebhook(headers, body);
  if (!event) {
    const param = name === 'stripe' ? 'Stripe-Signature' : 'Test-Signature';
    throw new AppError('unauthenticated', 'The signature does not hold.', { param });
  }
  await storeAndApply(deps, name, event);
}

const EVENTS_MAX = 50;

/** The tick's turn: no body of an event is kept, so the provider is asked for it. Answers how many were applied. */
export async function applyStoredWebhooks(deps: Deps): Promise<number> {
  const [events] = await deps.db.read(unappliedWebhooks(EVENTS_MAX));
  let applied = 0;
  await forEachAtOnce(
    events,
    async ({ provider, event_id }) => {
      const asked = providerIfAvailable(deps, provider);
      const event = await asked?.event(event_id);
      const failure = asked ? 'not_found' : 'provider_unavailable';
      if (!event) await deps.db.writeResent(noteWebhookFailure(provider, event_id, failure));
      else if (await storeAndApply(deps, provider, event)) applied += 1;
    },
    ({ event_id }, error) =>
      deps.log.log('error', 'webhook failed', { event_id: loggableId(event_id), cause: describeCause(error) }),
  );
  return applied;
}
