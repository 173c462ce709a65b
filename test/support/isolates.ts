import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { startProcess, workerOf } from '../../bench/metrics-aggregator.ts';
import { checkedFetch } from './contract.ts';
import type { Stack } from './stack.ts';

const NAMES = ['one', 'two', 'three'];

export interface Isolates {
  /** The stack's own Worker and three more beside it, which log nothing, on the same database, Redis and provider. */
  stacks: Stack[];
  close(): Promise<void>;
}

/** The same Worker in three more isolates, as a platform runs it. */
export async function startIsolates(stack: Stack): Promise<Isolates> {
  const folder = await mkdtemp(join(tmpdir(), 'isolates-'));
  const options = {
    workerDir: inject('shared').workerDir,
    registry: join(folder, 'registry'),
    persist: join(folder, 'storage'),
    bindings: { ...stack.bindings, LOG_LEVEL: 'fatal' },
  };
  const metrics = { className: 'MetricsAggregator', useSQLite: true };
  const started = await startProcess(
    options,
    NAMES.map((name) => workerOf(name, options, metrics)),
  );
  const urls = await Promise.all(NAMES.map((name) => started.unsafeGetDirectURL(name)));
  const others = urls.map(({ href }) => {
    const url = href.replace(/\/$/, '');
    return { ...stack, url, fetch: checkedFetch(url) };
  });
  return {
    stacks: [stack, ...others],
    async close() {
      await started.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
