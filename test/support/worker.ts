import { join } from 'node:path';
import { convertV4MiniflareOptions, fetch, Miniflare, type WorkerdStructuredLog } from 'miniflare';

export interface TestWorker {
  /** Base URL, without a slash at the end. */
  url: string;
  /** Everything it has printed so far. */
  logs(): WorkerdStructuredLog[];
  /** The clockwork: ends with the work that it gave to waitUntil(). */
  scheduled(event: { cron: string }): Promise<{ outcome: string }>;
  /** The object starts anew from what it has stored. */
  evictDurableObject(className: string, name: string): Promise<void>;
  close(): Promise<void>;
}

/** What of wrangler.toml the Worker needs to run. */
export interface WorkerConfig {
  compatibilityDate: string;
  compatibilityFlags: string[];
  bindings: Record<string, string>;
  durableObjects: Record<string, { className: string; useSQLite?: boolean }>;
  assets: {
    directory: string;
    routerConfig: { has_user_worker: boolean };
    assetConfig: { compatibility_date: string; compatibility_flags: string[] };
  };
}

const NAME = 'shop';

/**
 * The bundle that wrangler made, configured as its wrangler.toml says with `bindings` on top, in one workerd:
 * wrangler's own harness runs a second one before it, which costs every test file a start and every request a hop. What the
 * Worker asks goes through this process: workerd by itself sends a request again, once, whose connection broke before the
 * reply, and would mend the cuts that tests make.
 */
export async function startWorker(
  workerDir: string,
  config: WorkerConfig,
  bindings: Record<string, string>,
): Promise<TestWorker> {
  const logs: WorkerdStructuredLog[] = [];
  const workerd = new Miniflare(
    convertV4MiniflareOptions({
      handleStructuredLogs: (log) => void logs.push(log),
      workers: [
        {
          name: NAME,
          modules: [{ type: 'ESModule', path: join(workerDir, 'index.js') }],
          modulesRoot: workerDir,
          ...config,
          outboundService: (request) => fetch(request),
          bindings: { ...config.bindings, ...bindings },
        },
      ],
    }),
  );
  const { href } = await workerd.ready;
  return {
    url: href.replace(/\/$/, ''),
    logs: () => logs,
    async scheduled(event) {
      return (await workerd.getWorker(NAME)).scheduled(event);
    },
    evictDurableObject: (className, name) => workerd.unsafeEvictDurableObject(NAME, className, { name }),
    close: () => workerd.dispose(),
  };
}
