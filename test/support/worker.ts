import { join } from 'node:path';
import { convertV4MiniflareOptions, Miniflare, type WorkerdStructuredLog } from 'miniflare';
import { unstable_getMiniflareWorkerOptions } from 'wrangler';
import * as z from 'zod';

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

// What of wrangler.toml the Worker needs to run; wrangler gives it without a type.
const Configured = z.object({
  compatibilityDate: z.string(),
  compatibilityFlags: z.array(z.string()),
  bindings: z.record(z.string(), z.json()),
  durableObjects: z.record(z.string(), z.object({ className: z.string(), useSQLite: z.boolean().exactOptional() })),
  assets: z.object({
    directory: z.string(),
    routerConfig: z.object({ has_user_worker: z.boolean() }),
    assetConfig: z.object({ compatibility_date: z.string(), compatibility_flags: z.array(z.string()) }),
  }),
});

const NAME = 'shop';

/**
 * The bundle that wrangler made, configured as the environment `dev` of wrangler.toml with `bindings` on top, in one workerd
 * whose requests go straight to its peers: wrangler's own harness sends each of them through this process, and each one
 * that comes in through a second workerd, which doubles the work of every test.
 */
export async function startWorker(
  root: string,
  workerDir: string,
  bindings: Record<string, string>,
): Promise<TestWorker> {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(root, 'wrangler.toml'), 'dev');
  const configured = Configured.parse(workerOptions);
  const logs: WorkerdStructuredLog[] = [];
  const workerd = new Miniflare(
    convertV4MiniflareOptions({
      handleStructuredLogs: (log) => void logs.push(log),
      workers: [
        {
          name: NAME,
          modules: [{ type: 'ESModule', path: join(workerDir, 'index.js') }],
          modulesRoot: workerDir,
          ...configured,
          bindings: { ...configured.bindings, ...bindings },
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
