import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { inject } from 'vitest';

const TOKEN = 'metrics-token-of-this-test';
const ISOLATES = ['one', 'two', 'three', 'four'];
const CONCURRENCY = 64;
const secret = 'x'.repeat(32);

/** Never spoken to: the routes asked here do no I/O of their own. */
const BINDINGS = {
  ENVIRONMENT: 'test',
  DATABASE_URL: 'postgres://app:app@127.0.0.1:1/none',
  UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
  UPSTASH_REDIS_REST_TOKEN: 'none',
  JWT_ACCESS_SECRET: `${secret}1`,
  JWT_REFRESH_SECRET: `${secret}2`,
  ORDER_TOKEN_SECRET: `${secret}3`,
  METRICS_TOKEN: TOKEN,
  METRICS_FLUSH_SECONDS: '1',
  LOG_LEVEL: 'fatal',
};

const REAL = { className: 'MetricsAggregator', useSQLite: true, scriptName: 'one' };

/** Stands between the isolates and the object: every other batch is taken in and its acknowledgement lost. */
const LOSSY = `
import { DurableObject } from 'cloudflare:workers';
export class Lossy extends DurableObject {
  batches = 0;
  lost = 0;
  get real() { return this.env.REAL.getByName('metrics'); }
  async ingest(batch) {
    await this.real.ingest(batch);
    this.batches += 1;
    if (this.batches % 2 === 1) { this.lost += 1; throw new Error('acknowledgement lost'); }
  }
  families() { return this.real.families(); }
}
export default { fetch: () => new Response() };`;

export interface FourIsolates {
  load(requests: number): Promise<void>;
  /** The whole exposition. */
  scrape(): Promise<string>;
  /** Requests that the scrape has counted, once no more arrive. */
  settled(total: number): Promise<number>;
  counted(text: string): number;
  stop(): Promise<void>;
}

/** Four services of one workerd, each an isolate of its own, that share one object, kept on disk in `persist`. */
export async function startFourIsolates(options: { persist: string; lossy?: boolean }): Promise<FourIsolates> {
  const { workerDir } = inject('shared');
  const metrics = (name: string) =>
    options.lossy === true && name !== 'one' ? { className: 'Lossy', useSQLite: true, scriptName: 'lossy' } : REAL;
  const isolates = ISOLATES.map((name) => ({
    name,
    modules: [{ type: 'ESModule' as const, path: join(workerDir, 'index.js') }],
    modulesRoot: workerDir,
    compatibilityDate: '2026-10-01',
    compatibilityFlags: ['nodejs_compat'],
    bindings: BINDINGS,
    durableObjects: { METRICS: metrics(name) },
    unsafeDirectSockets: [{ port: 0 }],
  }));
  const lossy = {
    name: 'lossy',
    modules: true,
    script: LOSSY,
    compatibilityDate: '2026-10-01',
    durableObjects: { REAL, SELF: { className: 'Lossy', useSQLite: true } },
  };
  const workerd = new Miniflare({
    ...convertV4MiniflareOptions({ workers: options.lossy === true ? [...isolates, lossy] : isolates }),
    resourcePersistencePath: options.persist,
  });
  await workerd.ready;
  const urls = await Promise.all(ISOLATES.map((name) => workerd.unsafeGetDirectURL(name)));

  const scrape = async (): Promise<string> => {
    const response = await fetch(new URL('/metrics', urls[0]), { headers: { authorization: `Bearer ${TOKEN}` } });
    if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
    return await response.text();
  };
  const counted = (text: string): number => {
    const line = /^ecommerce_http_requests_total\{method="GET",route="\/health\/live",status="200"\} (\d+)$/m.exec(
      text,
    );
    return Number(line?.[1] ?? 0);
  };
  return {
    scrape,
    counted,
    async load(requests) {
      let sent = 0;
      const client = async () => {
        while (sent < requests) {
          sent += 1;
          const response = await fetch(new URL('/health/live', urls[sent % urls.length]));
          await response.arrayBuffer();
        }
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, client));
    },
    async settled(total) {
      for (let tries = 0; tries < 150; tries += 1) {
        // An isolate whose batch was not acknowledged sends it again behind its next request, whatever that is.
        await Promise.all(urls.map(async (url) => await (await fetch(new URL('/nothing', url))).arrayBuffer()));
        if (counted(await scrape()) >= total) {
          // More than was sent must not arrive either: a flush interval later it is still the same.
          await sleep(1_500);
          return counted(await scrape());
        }
        await sleep(200);
      }
      return counted(await scrape());
    },
    stop: () => workerd.dispose(),
  };
}
