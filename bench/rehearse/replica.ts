import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Miniflare, convertV4MiniflareOptions } from 'miniflare';
import { workerdPids } from '../metrics-aggregator.ts';

/** One Worker in a workerd process of its own. */
export interface Replica {
  url: URL;
  /** Runs the minute cron, now. Rejects when it failed. */
  tick(): Promise<void>;
  /** SIGKILL: nothing is drained, nothing is said. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export interface ReplicaOptions {
  /** Bindings that differ. */
  env?: Record<string, string>;
  /** How far its clock is ahead; negative: behind. */
  clockAheadMs?: number;
  /** Bundle of a tail Worker and its bindings: it gets every log line. */
  tail?: { bundle: string; bindings: Record<string, string> };
}

interface Parts extends ReplicaOptions {
  /** Path of the bundle's index.js. */
  bundle: string;
  /** Where the folder of its Durable Object is made. */
  folder: string;
  bindings: Record<string, string>;
}

const COMPATIBILITY = { compatibilityDate: '2026-10-01', compatibilityFlags: ['nodejs_compat'] };
const METRICS = { className: 'MetricsAggregator', useSQLite: true };
const TAIL = 'tail';

/** Finding the process to kill takes Linux's /proc. */
export async function startReplica(parts: Parts): Promise<Replica> {
  const home = await mkdtemp(path.join(parts.folder, 'replica-'));
  const { modules, modulesRoot } = await modulesOf(parts, home);
  const shop = {
    name: 'shop',
    modules,
    modulesRoot,
    ...COMPATIBILITY,
    bindings: { ...parts.bindings, ...parts.env },
    durableObjects: { METRICS },
    unsafeDirectSockets: [{ port: 0 }],
    ...(parts.tail && { tails: [TAIL] }),
  };
  const tail = parts.tail && {
    name: TAIL,
    modules: [{ type: 'ESModule' as const, path: parts.tail.bundle }],
    modulesRoot: path.dirname(parts.tail.bundle),
    ...COMPATIBILITY,
    bindings: parts.tail.bindings,
  };
  const before = workerdPids();
  const runtime = new Miniflare({
    ...convertV4MiniflareOptions({
      // Lines are counted by a tail Worker where they matter.
      handleStructuredLogs: () => undefined,
      workers: tail ? [shop, tail] : [shop],
    }),
    resourcePersistencePath: path.join(home, 'storage'),
  });
  await runtime.ready;
  const pid = workerdPids().find((each) => !before.includes(each));
  let isOpen = true;
  const close = async () => {
    if (isOpen) await runtime.dispose();
    isOpen = false;
  };
  return {
    url: await runtime.unsafeGetDirectURL('shop'),
    tick: () => tick(runtime),
    async kill() {
      if (pid === undefined) throw new Error('The process of the Worker was not found.');
      process.kill(pid, 'SIGKILL');
      // At once, as the runner would start another by itself.
      await close();
    },
    close,
  };
}

async function tick(runtime: Miniflare): Promise<void> {
  const { outcome } = await (await runtime.getWorker('shop')).scheduled({ cron: '* * * * *' });
  if (outcome !== 'ok') throw new Error(`the tick ended with ${outcome}`);
}

/** The very bundle; where its clock has to differ, behind a module that shifts `Date` before anything reads it. */
async function modulesOf({ bundle, clockAheadMs = 0 }: Parts, home: string) {
  const entry = { type: 'ESModule' as const, path: bundle };
  if (clockAheadMs === 0) return { modules: [entry], modulesRoot: path.dirname(bundle) };
  const folder = path.dirname(bundle);
  const shift = path.join(folder, `shift-${path.basename(home)}.js`);
  const shifted = path.join(folder, `entry-${path.basename(home)}.js`);
  await writeFile(
    shift,
    `const Real = Date;
globalThis.Date = class extends Real {
  constructor(...given) { given.length === 0 ? super(Real.now() + ${clockAheadMs}) : super(...given); }
  static now() { return Real.now() + ${clockAheadMs}; }
};`,
  );
  await writeFile(
    shifted,
    `import './${path.basename(shift)}';\nexport * from './index.js';\nexport { default } from './index.js';`,
  );
  const modules = [shifted, shift].map((file) => ({ type: 'ESModule' as const, path: file }));
  return { modules: [...modules, entry], modulesRoot: folder };
}
