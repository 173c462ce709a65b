import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type MiniflareOptions, Miniflare, convertV4MiniflareOptions } from 'miniflare';

/** Under which the isolates find the object's process. */
export const AGGREGATOR = 'aggregator';
const CLASS = { className: 'MetricsAggregator', useSQLite: true };
/** What an isolate binds: the object is not among its own Workers, so calls go to the process that registered it. */
export const REMOTE = { ...CLASS, scriptName: AGGREGATOR };

export interface ProcessOptions {
  /** Folder of the Worker's bundle. */
  workerDir: string;
  /** Where processes find each other: a folder that both know. */
  registry: string;
  /** Folder of the objects' storage. */
  persist: string;
  bindings: Record<string, string>;
}

/** A process that does nothing but hold the object that counts. */
export interface Aggregator {
  /** SIGKILL; resolves when the process is gone. Its storage stays. */
  kill(): Promise<void>;
  /** A new process on the storage of the one before. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The Worker as it is deployed, under `name`, on a socket of its own. */
export function workerOf(name: string, { workerDir, bindings }: ProcessOptions, metrics: { className: string }) {
  return {
    name,
    modules: [{ type: 'ESModule' as const, path: path.join(workerDir, 'index.js') }],
    modulesRoot: workerDir,
    compatibilityDate: '2026-10-01',
    compatibilityFlags: ['nodejs_compat'],
    bindings,
    durableObjects: { METRICS: metrics },
    unsafeDirectSockets: [{ port: 0 }],
  };
}

/** One workerd process with these Workers, registered for the others to call. */
export async function startProcess(
  { registry, persist }: ProcessOptions,
  workers: Extract<Parameters<typeof convertV4MiniflareOptions>[0], { workers: unknown }>['workers'],
): Promise<Miniflare> {
  const options: MiniflareOptions = convertV4MiniflareOptions({ workers, unsafeDevRegistryPath: registry });
  const started = new Miniflare({ ...options, resourcePersistencePath: persist });
  await started.ready;
  return started;
}

/** Finding the process to kill takes Linux's /proc. */
export async function startAggregator(options: ProcessOptions): Promise<Aggregator> {
  const start = async () => {
    const before = workerdPids();
    const holder = await startProcess(options, [workerOf(AGGREGATOR, options, CLASS)]);
    const [pid, ...others] = workerdPids().filter((each) => !before.includes(each));
    if (pid === undefined || others.length > 0) throw new Error(`expected one new process, not ${others.length + 1}`);
    return { holder, pid };
  };
  let { holder, pid } = await start();
  return {
    async kill() {
      process.kill(pid, 'SIGKILL');
      // At once, as the runner would start another by itself.
      await holder.dispose();
    },
    async restart() {
      ({ holder, pid } = await start());
    },
    stop: () => holder.dispose(),
  };
}

/** Every workerd that this process started. `/proc/<pid>/stat` reads: pid (name) state parent ... */
export function workerdPids(): number[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).filter((pid) => {
    try {
      const [, name, parent] = /^\d+ \((.*)\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return name === 'workerd' && Number(parent) === process.pid;
    } catch {
      return false;
    }
  });
}
