import type { Scenario } from './scenario.ts';
import { clockSkew } from './scenarios/clock-skew.ts';
import { flashSale } from './scenarios/flash-sale.ts';
import { logSinkDown } from './scenarios/log-sink-down.ts';
import { postgresRestarted } from './scenarios/postgres-restarted.ts';
import { redisDown } from './scenarios/redis-down.ts';
import { replicaKilled } from './scenarios/replica-killed.ts';
import { slowProvider } from './scenarios/slow-provider.ts';
import { tenTimesTraffic } from './scenarios/ten-times-traffic.ts';

/** Every rehearsal, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  flashSale,
  redisDown,
  postgresRestarted,
  slowProvider,
  replicaKilled,
  clockSkew,
  logSinkDown,
  tenTimesTraffic,
];

/** Those that are named, or all. Throws with the list when there is no such rehearsal. */
export function chosen(names: readonly string[]): readonly Scenario[] {
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    const known = SCENARIOS.map(({ name }) => name).join(', ');
    throw new RangeError(`No rehearsal ${unknown.join(', ')}. There are: ${known}.`);
  }
  return names.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => names.includes(name));
}
