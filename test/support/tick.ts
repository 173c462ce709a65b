import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from './stack.ts';

const CLAIM_MS = 100;

/**
 * A tick of the clockwork that ends with its work. One that finds the metrics unclaimed ends an interval of theirs later
 * (METRICS_FLUSH_SECONDS), for which nobody here waits: requests beside it claim them first. Rejects as the tick does.
 */
export async function runTick(stack: Stack): Promise<void> {
  await stack.fetch('/health/live');
  const tick = stack.worker.scheduled({ cron: '* * * * *' }).then(() => true);
  while (!(await Promise.race([tick, sleep(CLAIM_MS, false)]))) await stack.fetch('/health/live');
}
