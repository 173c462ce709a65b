import type { Deps } from '../../platform/deps.ts';
import { describeCause } from '../../platform/http/problem.ts';
import { hmacSha256Base64 } from '../../platform/auth/hmac.ts';
import { loggableId, redact } from '../../platform/telemetry/redact.ts';
import { tracedFetch } from '../../platform/telemetry/trace/steps.ts';
import { unixSeconds } from '../../platform/clock.ts';
import { markDelivered, markFailed, takeDueEvents, type FailedDelivery, type OutboxRow } from './queries.ts';
import { retryDelayS } from './rules.ts';

const BATCH_MAX = 50;
const DELIVERY_TIMEOUT_MS = 5_000;

/** Signed as Standard Webhooks asks for: HMAC-SHA256 over `id.timestamp.body`. */
async function post(deps: Deps, url: string, secret: string, event: OutboxRow): Promise<void> {
  const body = JSON.stringify({
    id: event.id,
    type: event.type,
    timestamp: event.created_at,
    data: { id: event.aggregate_id, ...event.payload },
  });
  const timestamp = String(unixSeconds(deps.clock));
  const signature = await hmacSha256Base64(secret, `${event.id}.${timestamp}.${body}`);
  const response = await tracedFetch(url, {
    method: 'POST',
    body,
    redirect: 'manual',
    headers: {
      'content-type': 'application/json',
      'webhook-id': event.id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
    signal: AbortSignal.timeout(DELIVERY_TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
}

/** To EVENTS_URL when it is set, else to the log: an event is never dropped for want of a subscriber. */
async function deliver(deps: Deps, event: OutboxRow): Promise<void> {
  const { EVENTS_URL, EVENTS_SECRET } = deps.config;
  if (EVENTS_URL !== undefined && EVENTS_SECRET !== undefined)
    return await post(deps, EVENTS_URL, EVENTS_SECRET, event);
  deps.log.log('info', redact(event.type), {
    event_id: loggableId(event.id),
    aggregate_id: loggableId(event.aggregate_id),
    attempts: event.attempts,
  });
}

/** Delivers what is due, at least once; answers how many went out. Several drains at once take different rows. */
export async function drainOutbox(deps: Deps): Promise<number> {
  const [events] = await deps.db.write(takeDueEvents(BATCH_MAX));
  if (events.length === 0) return 0;
  const outcomes = await Promise.allSettled(events.map((event) => deliver(deps, event)));
  const delivered: string[] = [];
  const failed: FailedDelivery[] = [];
  for (const [index, event] of events.entries()) {
    const outcome = outcomes[index];
    if (outcome?.status === 'rejected') {
      const error = describeCause(outcome.reason).slice(0, 500);
      failed.push({ id: event.id, error, retryInS: retryDelayS(event.attempts) });
    } else {
      delivered.push(event.id);
    }
  }
  await deps.db.writeResent(markDelivered(delivered), markFailed(failed));
  return delivered.length;
}
