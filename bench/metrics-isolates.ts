import path from 'node:path';
import type { Miniflare } from 'miniflare';
import { type Aggregator, REMOTE, startAggregator, startProcess, workerOf } from './metrics-aggregator.ts';

const TOKEN = 'metrics-token-of-a-load';
const ISOLATES = ['one', 'two', 'three', 'four'];
const secret = 'isolates-0123456789-abcdefghijklm';

/** Never spoken to: the routes asked here do no I/O of their own. */
const BINDINGS = {
  ENVIRONMENT: 'test',
  DATABASE_URL: 'postgres://app:app@127.0.0.1:1/none',
  UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
  UPSTASH_REDIS_REST_TOKEN: 'never-spoken-to-0123456789',
  JWT_ACCESS_SECRET: `${secret}1`,
  JWT_REFRESH_SECRET: `${secret}2`,
  ORDER_TOKEN_SECRET: `${secret}3`,
  METRICS_TOKEN: TOKEN,
  METRICS_FLUSH_SECONDS: '1',
  LOG_LEVEL: 'fatal',
};

/** Stands between the isolates and the object: every other batch is taken in and its acknowledgement lost. */
const LOSSY = `
import { DurableObject } from 'cloudflare:workers';
export class Lossy extends DurableObject {
  batches = 0;
  get real() { return this.env.REAL.getByName('metrics'); }
  async ingest(batch) {
    await this.real.ingest(batch);
    this.batches += 1;
    if (this.batches % 2 === 1) throw new Error('acknowledgement lost');
  }
  families() { return this.real.families(); }
}
export default { fetch: () => new Response() };`;
const LOSSY_CLASS = { className: 'Lossy', useSQLite: true };

export interface IsolatesOptions {
  /** Folder of the Worker's bundle. */
  workerDir: string;
  /** An empty folder for storage; its owner removes it. */
  folder: string;
  /** Half of the acknowledgements get lost. */
  isLossy: boolean;
}

/** Four isolates in one process and the object that counts in another. */
export interface Isolates {
  aggregator: Aggregator;
  urls: URL[];
  /** The whole exposition; null when the object does not answer. Throws on any other reply. */
  scrape(): Promise<string | null>;
  stop(): Promise<void>;
}

export async function startIsolates({ workerDir, folder, isLossy }: IsolatesOptions): Promise<Isolates> {
  const common = { workerDir, registry: path.join(folder, 'registry'), bindings: BINDINGS };
  const aggregator = await startAggregator({ ...common, persist: path.join(folder, 'aggregator') });
  const options = { ...common, persist: path.join(folder, 'isolates') };
  const metrics = isLossy ? { ...LOSSY_CLASS, scriptName: 'lossy' } : REMOTE;
  const lossy = {
    name: 'lossy',
    modules: true as const,
    script: LOSSY,
    compatibilityDate: '2026-10-01',
    durableObjects: { REAL: REMOTE, SELF: LOSSY_CLASS },
  };
  const workers = ISOLATES.map((name) => workerOf(name, options, metrics));
  const isolates: Miniflare = await startProcess(options, isLossy ? [...workers, lossy] : workers);
  const urls = await Promise.all(ISOLATES.map((name) => isolates.unsafeGetDirectURL(name)));
  return {
    aggregator,
    urls,
    async scrape() {
      const reply = await fetch(new URL('/metrics', urls[0]), { headers: { authorization: `Bearer ${TOKEN}` } });
      const text = await reply.text();
      if (reply.status === 503) return null;
      if (reply.status !== 200) throw new Error(`/metrics answered ${reply.status}: ${text}`);
      return text;
    },
    async stop() {
      await isolates.dispose();
      await aggregator.stop();
    },
  };
}
