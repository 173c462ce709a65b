import { drainOutbox } from './domains/events/index.ts';
import { gaugeRow } from './gauges/queries.ts';
import { removeDoneKeys } from './platform/http/idempotency.ts';
import { removeExpiredCarts } from './domains/cart/index.ts';
import { removeExpiredSessions, republishRevocations } from './domains/identity/index.ts';
import { settleUnattended } from './domains/checkout/index.ts';
import { seriesKey } from './platform/telemetry/metrics/buffer.ts';
import { unixSeconds } from './platform/clock.ts';
import type { Deps } from './platform/deps.ts';

/** Where the tick leaves its gauges. */
export interface Gauges {
  setGauges(values: Record<string, number>): unknown;
}

/** The clockwork, once a minute: idempotent, and harmless when two of them overlap. */
export async function tick(deps: Deps, gauges: Gauges): Promise<void> {
  const settled = await settleUnattended(deps);
  const delivered = await drainOutbox(deps);
  await deps.db.writeResent(removeDoneKeys, removeExpiredCarts, removeExpiredSessions);
  await republishRevocations(deps);
  const [[sampled]] = await deps.db.read(gaugeRow);
  const { SERVICE_VERSION, ENVIRONMENT } = deps.config;
  await gauges.setGauges({
    ...sampled,
    ecommerce_tick_last_success_timestamp_seconds: unixSeconds(deps.clock),
    [seriesKey('ecommerce_build_info', [SERVICE_VERSION, ENVIRONMENT])]: 1,
  });
  deps.log.log('info', 'tick', { orders_settled: settled, events_delivered: delivered, db_round_trips: deps.trips.db });
}
