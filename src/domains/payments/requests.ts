import type { Deps } from '../../platform/deps.ts';
import { describeCause } from '../../platform/http/problem.ts';
import { loggableId, redact } from '../../platform/telemetry/redact.ts';
import { emitEventIf } from '../events/index.ts';
import type { RequestOutcome } from './provider.ts';
import {
  appendResult,
  hasResult,
  openRequestById,
  postponeRequest,
  takeRequests,
  type OpenRequestRow,
  type RequestKind,
} from './queries/requests.ts';
import { onlineProvider } from './service.ts';

const DONE: Record<RequestKind, string> = {
  capture: 'payment.captured',
  void: 'payment.voided',
  refund: 'payment.refunded',
};

async function ask(deps: Deps, request: OpenRequestRow): Promise<RequestOutcome> {
  const { provider_reference: reference, id: key, amount } = request;
  if (reference === null) return { status: 'unknown', cause: 'the provider has not named the payment yet' };
  const provider = onlineProvider(deps, request.provider);
  switch (request.kind) {
    case 'capture':
      return await provider.capture(reference, { amount, key });
    case 'void':
      return await provider.void(reference, { key });
    case 'refund':
      return await provider.refund(reference, { amount, key });
  }
}

/** True when the request has a result: what became of it is in the ledger. False: it is in doubt and asked about again. */
async function perform(deps: Deps, request: OpenRequestRow): Promise<boolean> {
  const outcome = await ask(deps, request);
  const { metrics, log, ids, db } = deps;
  metrics.count('ecommerce_payment_requests_total', [request.kind, outcome.status]);
  if (outcome.status === 'unknown') {
    log.log('warn', 'payment request in doubt', {
      order_id: loggableId(request.order_id),
      payment_id: loggableId(request.payment_id),
      cause: redact(outcome.cause),
    });
    await db.writeResent(postponeRequest(request.id));
    return false;
  }
  const isDone = outcome.status === 'success';
  const id = ids.uuid();
  await db.writeResent(
    appendResult({
      id,
      requestId: request.id,
      outcome: outcome.status,
      reference: outcome.reference,
      reason: isDone ? null : outcome.reason,
    }),
    emitEventIf(hasResult(id), {
      id: ids.uuid(),
      type: isDone ? DONE[request.kind] : `payment.${request.kind}_failed`,
      aggregateId: request.payment_id,
      payload: { order_id: request.order_id, amount: request.amount, currency: request.currency },
    }),
  );
  return true;
}

/** Right after the batch that opened it, by whoever opened it: nobody else asks while the lease of that batch lasts. */
export async function performRequest(deps: Deps, requestId: string): Promise<boolean> {
  const [[request]] = await deps.db.read(openRequestById(requestId));
  return request ? await perform(deps, request) : true;
}

/** A retry's turn: takes the request over when nobody is on it. False while it is in doubt or somebody else is on it. */
export async function settleRequest(deps: Deps, requestId: string): Promise<boolean> {
  const [[taken], [open]] = await deps.db.write(takeRequests(requestId, 1), openRequestById(requestId));
  if (taken) return await perform(deps, taken);
  return open === undefined;
}

const REQUESTS_MAX = 100;
const AT_ONCE = 5;

/** The tick's turn: asks about what is in doubt and answers how many of those have a result now. */
export async function settleOpenRequests(deps: Deps): Promise<number> {
  const [requests] = await deps.db.writeResent(takeRequests(null, REQUESTS_MAX));
  const waiting = [...requests];
  let settled = 0;
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        if (await perform(deps, next)) settled += 1;
      } catch (error) {
        deps.log.log('error', 'settling failed', {
          order_id: loggableId(next.order_id),
          cause: describeCause(error),
        });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return settled;
}
