import { Hono } from 'hono';
import * as z from 'zod';
import { AppError } from './platform/errors.ts';
import { aggregatorOf } from './platform/telemetry/metrics/isolate.ts';
import { prefersOpenMetrics, takesGzip } from './platform/telemetry/metrics/accept.ts';
import { equalSecret } from './platform/auth/hmac.ts';
import { reply } from './platform/http/reply.ts';
import { operation } from './platform/http/operation.ts';
import { renderOpenMetrics, renderText } from './platform/telemetry/metrics/exposition.ts';
import type { AppContext, AppEnv } from './platform/http/context.ts';

/** Below the scraper's own five seconds. */
const ANSWER_TIMEOUT_MS = 4_000;
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** Closed by default: without a METRICS_TOKEN nobody reads or pushes. */
function requireMetricsToken(c: AppContext): void {
  const { METRICS_TOKEN } = c.get('deps').config;
  const given = /^Bearer (\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (METRICS_TOKEN === undefined || given === undefined || !equalSecret(given, METRICS_TOKEN)) {
    throw new AppError('unauthenticated', 'Send the bearer token of the metrics.', { param: 'Authorization' });
  }
}

function unavailable(cause: unknown): never {
  throw new AppError('dependency_unavailable', 'The counts cannot be read right now.', { cause, retryAfterS: 5 });
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the aggregator does not answer')), ANSWER_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } catch (cause) {
    return unavailable(cause);
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

/** `bytes` of the compressed body; `status` of the receiver's answer, null when there was none. */
const RemoteWrite = z
  .object({
    series: z.int(),
    bytes: z.int(),
    status: z.int().nullable(),
    outcome: z.enum(['taken', 'refused', 'kept']),
  })
  .meta({ id: 'RemoteWrite' });

/** Cloudflare rewrites Accept-Encoding on the way to a Worker and keeps what the client sent beside the request. */
function acceptedEncodings(c: AppContext): string {
  const cf: unknown = 'cf' in c.req.raw ? c.req.raw.cf : undefined;
  if (typeof cf !== 'object' || cf === null) return c.req.header('accept-encoding') ?? '';
  return 'clientAcceptEncoding' in cf ? String(cf.clientAcceptEncoding) : '';
}

/** Everything or nothing: a partial sum would read as a counter that went back. */
export const metricsRoutes = new Hono<AppEnv>()
  .get(
    '/metrics',
    operation({
      summary: 'Counts of all isolates for Prometheus, as text 0.0.4 or OpenMetrics by Accept',
      tag: 'Operations',
      auth: 'metrics',
      replies: { 200: z.string() },
      mediaTypes: ['text/plain', 'application/openmetrics-text'],
      errors: ['unauthenticated', 'dependency_unavailable'],
    }),
    async (c) => {
      requireMetricsToken(c);
      const families = await withinTime(aggregatorOf(c.env).families());
      const isOpenMetrics = prefersOpenMetrics(c.req.header('accept') ?? '');
      const gzip = takesGzip(acceptedEncodings(c));
      return new Response(isOpenMetrics ? renderOpenMetrics(families) : renderText(families), {
        headers: {
          'content-type': isOpenMetrics ? OPEN_METRICS : TEXT,
          'cache-control': 'no-store',
          vary: 'Accept, Accept-Encoding',
          ...(gzip && { 'content-encoding': 'gzip' }),
        },
      });
    },
  )
  .post(
    '/metrics/push',
    operation({
      summary: 'Sends all metrics to the remote-write receiver now',
      tag: 'Operations',
      auth: 'metrics',
      replies: { 200: RemoteWrite },
      errors: ['unauthenticated', 'not_found', 'dependency_unavailable'],
      idempotencyKey: 'ignored',
    }),
    async (c) => {
      requireMetricsToken(c);
      const report = await aggregatorOf(c.env).pushNow().catch(unavailable);
      if (report === null) throw new AppError('not_found', 'Remote write is off: REMOTE_WRITE_URL is not set.');
      return reply(c, RemoteWrite, report);
    },
  );
