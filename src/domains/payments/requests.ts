import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { forEachAtOnce } from '../../platform/at-once.ts';
import { AppError } from '../../platform/errors.ts';
import { describeCause } from '../../platform/http/problem.ts';
import { loggableId, redact } from '../../platform/telemetry/redact.ts';
import { emitEventIf } from '../events/index.ts';
import { bookRefunds, endOfAuthorization, writeTold, type Subject } from './ledger.ts';
import {
  outcomeOfRefund,
  type Outcome,
  type PaymentProvider,
  type ProviderRefund,
  type RequestOutcome,
} from './provider.ts';
import {
  appendResult,
  DONE,
  hasResult,
  openRequestById,
  postponeRequest,
  takeRequests,
  type OpenRequestRow,
} from './queries/requests.ts';
import { providerIfAvailable } from './service.ts';

/** in_flight: somebody else is asking right now. in_doubt: asked, and the answer says nothing. */
export type Settling = 'settled' | 'in_flight' | 'in_doubt';

interface Asked extends OpenRequestRow {
  provider_reference: string;
}

interface Answer {
  outcome: RequestOutcome;
  /** Of the payment, after a refusal. */
  state?: Outcome;
  /** As the provider has them, after it refused one. */
  refunds?: readonly ProviderRefund[];
}

/**
 * A provider forgets its keys after a day, so a refund that may have been made is looked for before it is asked again. One
 * that is refused may have been overtaken by what people gave back at the provider: what it has made tells.
 */
async function refund(provider: PaymentProvider, { provider_reference, ...request }: Asked): Promise<Answer> {
  if (request.attempts > 1) {
    const refunds = await provider.refunds(provider_reference);
    if (refunds === null) return { outcome: { status: 'unknown', cause: 'the refunds could not be looked up' } };
    const made = refunds.find(({ requestId }) => requestId === request.id);
    if (made) return { outcome: outcomeOfRefund(made) };
  }
  const outcome = await provider.refund(provider_reference, { amount: request.amount, key: request.id });
  if (outcome.status !== 'failure' || outcome.reference !== null) return { outcome };
  const refunds = await provider.refunds(provider_reference);
  return refunds === null ? { outcome } : { outcome, refunds };
}

const OVERTAKEN: RequestOutcome = { status: 'failure', reference: null, reason: 'payment_intent_unexpected_state' };

/**
 * A refusal may come because it was done before, under a key that is forgotten or by hand: the state tells. So it does of
 * what has failed before: the provider may repeat that for a day, though it did what it was asked for.
 */
async function confirmByState(provider: PaymentProvider, request: Asked, outcome: RequestOutcome): Promise<Answer> {
  const isRefused = outcome.status === 'failure';
  if (!isRefused && (outcome.status === 'success' || request.attempts === 1)) return { outcome };
  const state = await provider.find(request.provider_reference);
  if (state.status === 'unknown') return { outcome: state };
  const isGone = state.status === 'declined' && state.reason === 'canceled';
  const isTaken = state.status === 'captured';
  const isDone = request.kind === 'void' ? isGone : isTaken && state.amount === request.amount;
  if (isDone) return { outcome: { status: 'success', reference: request.provider_reference } };
  if (isRefused) return { outcome, state };
  return isGone || isTaken ? { outcome: OVERTAKEN, state } : { outcome };
}

async function ask(deps: Deps, request: OpenRequestRow): Promise<Answer> {
  const { provider_reference, id: key, amount } = request;
  const unknown = (cause: string): Answer => ({ outcome: { status: 'unknown', cause } });
  const provider = providerIfAvailable(deps, request.provider);
  if (!provider) return unknown('the provider is not set up here any more');
  if (provider_reference === null) return unknown('the provider has not named the payment yet');
  const asked = { ...request, provider_reference };
  switch (request.kind) {
    case 'capture':
      return await confirmByState(provider, asked, await provider.capture(provider_reference, { amount, key }));
    case 'void':
      return await confirmByState(provider, asked, await provider.void(provider_reference, { key }));
    case 'refund':
      return await refund(provider, asked);
  }
}

type Known = Exclude<RequestOutcome, { status: 'unknown' }>;

function resultStatements({ ids }: Deps, request: OpenRequestRow, outcome: Known): Sql[] {
  const isDone = outcome.status === 'success';
  const id = ids.uuid();
  const { reference, status } = outcome;
  return [
    ...appendResult({ id, requestId: request.id, outcome: status, reference, reason: isDone ? null : outcome.reason }),
    emitEventIf(hasResult(id), {
      id: ids.uuid(),
      type: isDone ? DONE[request.kind] : `payment.${request.kind}_failed`,
      aggregateId: request.payment_id,
      payload: { order_id: request.order_id, amount: request.amount, currency: request.currency },
    }),
  ];
}

const subjectOf = ({ payment_id: id, order_id, payment_amount: amount, currency }: OpenRequestRow): Subject => ({
  id,
  order_id,
  amount,
  currency,
});

/** Refused because others were faster: in one batch with the refusal it is written what they did, and what follows. */
async function recordRefusal(deps: Deps, request: OpenRequestRow, outcome: Known, state: Outcome): Promise<void> {
  const refused = resultStatements(deps, request, outcome);
  const payment = subjectOf(request);
  const end = endOfAuthorization(state, payment, request.provider_reference ?? '');
  if (!end) return void (await deps.db.writeResent(...refused));
  const about = { order_id: loggableId(payment.order_id), payment_id: loggableId(payment.id) };
  deps.log.log('warn', 'refused, since others have captured or voided the payment', about);
  const refundId = await writeTold(deps, payment, end, refused);
  if (refundId !== null) await settleRequest(deps, refundId);
}

async function perform(deps: Deps, request: OpenRequestRow): Promise<Settling> {
  const { outcome, state, refunds = [] } = await ask(deps, request);
  const { metrics, log, db } = deps;
  metrics.count('ecommerce_payment_requests_total', [request.kind, outcome.status]);
  if (outcome.status === 'unknown') {
    log.log('warn', 'payment request in doubt', {
      order_id: loggableId(request.order_id),
      payment_id: loggableId(request.payment_id),
      cause: redact(outcome.cause),
    });
    await db.writeResent(postponeRequest(request.id));
    return 'in_doubt';
  }
  if (refunds.length > 0) await bookRefunds(deps, subjectOf(request), refunds);
  if (state) await recordRefusal(deps, request, outcome, state);
  else await db.writeResent(...resultStatements(deps, request, outcome));
  return 'settled';
}

/**
 * Asks the provider for what the request is about, unless somebody else does so right now; settled as well when there is
 * no such request. Called after the batch that opened it, and by every retry: the request's id is the provider's
 * idempotency key, so the money moves once.
 */
export async function settleRequest(deps: Deps, requestId: string): Promise<Settling> {
  const [[taken], [open]] = await deps.db.write(takeRequests(requestId, 1), openRequestById(requestId));
  if (taken) return await perform(deps, taken);
  return open ? 'in_flight' : 'settled';
}

/** What a caller is told while there is no result: the same key goes on with the same request. */
export function assertSettled(settling: Settling): void {
  if (settling === 'settled') return;
  if (settling === 'in_flight') {
    throw new AppError('idempotency_in_flight', 'The provider is being asked right now.', { retryAfterS: 2 });
  }
  throw new AppError('payment_in_doubt', 'Nothing is lost. Try again with the same key.', { retryAfterS: 5 });
}

const REQUESTS_MAX = 100;

/** The tick's turn: asks about what is in doubt and answers how many of those have a result now. */
export async function settleOpenRequests(deps: Deps): Promise<number> {
  const [requests] = await deps.db.writeResent(takeRequests(null, REQUESTS_MAX));
  let settled = 0;
  await forEachAtOnce(
    requests,
    async (request) => {
      if ((await perform(deps, request)) === 'settled') settled += 1;
    },
    (request, error) =>
      deps.log.log('error', 'settling failed', {
        order_id: loggableId(request.order_id),
        cause: describeCause(error),
      }),
  );
  return settled;
}
