import { Hono } from 'hono';
import * as z from 'zod';
import { operation } from './platform/http/operation.ts';
import { reply } from './platform/http/reply.ts';
import type { AppEnv } from './platform/http/context.ts';
import type { Deps } from './platform/deps.ts';

/** `latency_ms` in milliseconds; null when the part did not answer in time. `build_time` is RFC 3339, or null when unknown. */
const Check = z.object({ status: z.enum(['ok', 'failing']), latency_ms: z.number().nullable() });
const Live = z.object({ status: z.literal('ok') }).meta({ id: 'Live' });
const Health = z
  .object({
    status: z.enum(['ok', 'failing']),
    service: z.string(),
    version: z.string(),
    build_time: z.string().nullable(),
    environment: z.string(),
    failing: z.array(z.string()),
    checks: z.object({ postgres: Check, redis: Check }),
  })
  .meta({ id: 'Health' });
type Health = z.output<typeof Health>;

const PROBE_TIMEOUT_MS = 2_000;

/** Bounded twice: by the client's own timeout and by this one, so a hanging part cannot hang the probe. */
async function probe(clock: Deps['clock'], ask: () => Promise<unknown>): Promise<z.output<typeof Check>> {
  const startedAtMs = clock.now().getTime();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), PROBE_TIMEOUT_MS);
  });
  try {
    await Promise.race([ask(), late]);
    return { status: 'ok', latency_ms: clock.now().getTime() - startedAtMs };
  } catch {
    return { status: 'failing', latency_ms: null };
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

async function examine({ config, clock, db, redis, trips }: Deps): Promise<Health> {
  trips.redis += 1;
  const [postgres, redisCheck] = await Promise.all([probe(clock, () => db.ping()), probe(clock, () => redis.ping())]);
  const checks = { postgres, redis: redisCheck };
  const failing = Object.entries(checks).flatMap(([name, { status }]) => (status === 'failing' ? [name] : []));
  return {
    status: failing.length === 0 ? 'ok' : 'failing',
    service: config.SERVICE_NAME,
    version: config.SERVICE_VERSION,
    build_time: config.BUILD_TIME ?? null,
    environment: config.ENVIRONMENT,
    failing,
    checks,
  };
}

const tag = 'Operations';

/** Live: the Worker runs. Ready: what it depends on answers, too; 503 names the part that does not. */
export const healthRoutes = new Hono<AppEnv>()
  .get(
    '/health/live',
    operation({ summary: 'Whether the Worker runs', tag, auth: 'none', replies: { 200: Live } }),
    (c) => reply(c, Live, { status: 'ok' }),
  )
  .get(
    '/health/ready',
    operation({
      summary: 'Whether Postgres and Redis answer',
      tag,
      auth: 'none',
      replies: { 200: Health, 503: Health },
    }),
    async (c) => {
      const health = await examine(c.get('deps'));
      return reply(c, Health, health, health.status === 'ok' ? 200 : 503);
    },
  )
  .get(
    '/health',
    operation({ summary: 'Version and state of every part', tag, auth: 'none', replies: { 200: Health, 503: Health } }),
    async (c) => {
      const health = await examine(c.get('deps'));
      return reply(c, Health, health, health.status === 'ok' ? 200 : 503);
    },
  );
