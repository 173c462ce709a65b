import { createMiddleware } from 'hono/factory';
import { createDeps, createRuntime, runLater, type Runtime } from './deps.ts';
import { equalSecret } from './platform/auth/hmac.ts';
import { AppError } from './platform/errors.ts';
import { createIds } from './platform/id.ts';
import { ConfigError } from './platform/config.ts';
import { createLogger } from './platform/telemetry/log.ts';
import { problem } from './platform/http/problem.ts';
import { isSampled } from './platform/telemetry/sampling.ts';
import { loggableId, redact, type Loggable } from './platform/telemetry/redact.ts';
import { toServerSpan } from './platform/telemetry/trace/root.ts';
import { startRecord, type RequestRecord } from './platform/telemetry/record.ts';
import { systemClock } from './platform/clock.ts';
import type { AppContext, AppEnv } from './platform/http/context.ts';

const REQUEST_ID = /^[\w=+/.-]{1,128}$/;
const runtimes = new WeakMap<object, Runtime | ConfigError>();

/** Parsed once per isolate; a faulty configuration is remembered and refuses every request. */
export function runtimeOf(env: object): Runtime | ConfigError {
  const known = runtimes.get(env);
  if (known) return known;
  let runtime: Runtime | ConfigError;
  try {
    runtime = createRuntime(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    runtime = error;
  }
  runtimes.set(env, runtime);
  return runtime;
}

/** What follows /carts/, and 22 base64url characters anywhere else: with a capital, as handles never have one. */
const CAPABILITY =
  /(?<=\/carts(?:\/|%2[Ff]))(?:[\w-]{22}|[^/]+)|(?:(?<![\w-])|(?<=%[\dA-Fa-f]{2}))(?=[\w-]*[A-Z])[\w-]{22}(?![\w-])/g;

async function fingerprint(id: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(id));
  return Array.from(new Uint8Array(digest).subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A cart id is a capability: wherever one may stand in what a caller sent, the first 8 hex digits of its SHA-256 do. */
async function loggable(sent: string): Promise<Loggable> {
  let shown = '';
  let end = 0;
  for (const { 0: id, index } of sent.matchAll(CAPABILITY)) {
    shown += sent.slice(end, index) + (await fingerprint(id));
    end = index + id.length;
  }
  return redact(shown + sent.slice(end));
}

function levelOf(status: number) {
  if (status >= 500) return 'error';
  return status >= 400 ? 'warn' : 'info';
}

/** The one description of a request: its log line, and its server span when it is traced. */
async function writeLine(c: AppContext, record: RequestRecord, context: LineContext) {
  const { runtime, isTraced, startedAtMs, endedAtMs } = context;
  const status = c.res.status;
  const path = await loggable(c.req.path);
  const route = redact(routeOf(c));
  const [userId, orderId] = [loggableId(record.userId), loggableId(record.orderId)];
  runtime.log.log(levelOf(status), record.errorCode ?? 'request', {
    ...traceOf(record),
    request_id: await loggable(record.requestId),
    method: redact(c.req.method),
    path,
    route,
    status,
    duration_ms: endedAtMs - startedAtMs,
    user_id: userId,
    order_id: orderId,
    db_round_trips: record.trips.db,
    redis_round_trips: record.trips.redis,
    provider_calls: record.trips.provider,
    limiter: record.limiter,
    cache: record.cache,
    replayed: record.replayed,
    error_code: record.errorCode,
    cause: record.cause,
  });
  if (!isTraced) return;
  runtime.tracing?.add(
    toServerSpan({
      ...record,
      startedAtMs,
      endedAtMs,
      method: c.req.method,
      scheme: new URL(c.req.url).protocol === 'https:' ? 'https' : 'http',
      path,
      route: routeOf(c) === UNMATCHED ? null : route,
      status,
      userId,
      orderId,
      errorCode: record.errorCode === null ? null : redact(record.errorCode),
    }),
  );
}

/** Only what went well may be thinned out; what a trace keeps, its log keeps. */
function isLogged(status: number, { traceId, rate, isTraced }: { traceId: string; rate: number; isTraced: boolean }) {
  return isTraced || status < 200 || status >= 300 || isSampled(traceId, rate);
}

interface LineContext {
  runtime: Runtime;
  isTraced: boolean;
  startedAtMs: number;
  endedAtMs: number;
}

const UNMATCHED = 'unmatched';

/** The pattern that answered, such as /api/v1/carts/:id; unmatched paths share one value. Middleware takes `next`. */
function routeOf(c: AppContext): string {
  const matched = c.req.matchedRoutes.findLast(({ method, handler }) => method !== 'ALL' || handler.length < 2);
  return matched?.path ?? UNMATCHED;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function countRequest(c: AppContext, { metrics }: Runtime, durationMs: number): void {
  const method = METHODS.has(c.req.method) ? c.req.method : 'OTHER';
  const route = routeOf(c);
  const status = String(c.res.status);
  metrics.count('ecommerce_http_requests_total', [method, route, status]);
  if (c.res.status >= 500) metrics.count('ecommerce_http_errors_total', [method, route, status]);
  metrics.observe('ecommerce_http_request_duration_seconds', durationMs * 1000, [method, route]);
}

/** What the lines of one request or one tick have in common. */
export function traceOf({ traceId, spanId }: Pick<RequestRecord, 'traceId' | 'spanId'>) {
  return { trace_id: loggableId(traceId), span_id: loggableId(spanId) };
}

function traceparentOf({ traceId, spanId }: RequestRecord, isTraced: boolean): string {
  return `00-${traceId}-${spanId}-${isTraced ? '01' : '00'}`;
}

/** A caller's sampled flag costs us spans, so it counts only beside the token that we share with whom we trust. */
function isAskedFor(c: AppContext, { TRUSTED_TRACE_TOKEN }: Runtime['config']): boolean {
  const given = c.req.header('x-trace-token');
  if (!c.get('record').isSampledByCaller || TRUSTED_TRACE_TOKEN === undefined || given === undefined) return false;
  return equalSecret(given, TRUSTED_TRACE_TOKEN);
}

/**
 * The request's way through the handlers, as a trace when its id is among the sampled or a trusted caller asks for one;
 * answers whether it was.
 */
async function serve(c: AppContext, { tracing, config }: Runtime, next: () => Promise<void>): Promise<boolean> {
  const record = c.get('record');
  if (!tracing) {
    await next();
    return false;
  }
  if (!tracing.samples(record.traceId) && !isAskedFor(c, config)) {
    await tracing.pass(traceparentOf(record, false), next);
    return false;
  }
  return await tracing.run(record, c.executionCtx, async (spanId) => {
    record.spanId = spanId ?? record.spanId;
    await next();
  });
}

/** After the deferred work, so that its steps go out with the rest. */
export async function flushSpans(runtime: Runtime): Promise<void> {
  const flush = runtime.tracing?.flushLater();
  if (flush) await runLater(runtime, [flush]);
}

/** Opens the request's record, gives handlers their dependencies and writes one line at the end, whatever happened. */
export const observe = createMiddleware<AppEnv>(async (c, next) => {
  const incoming = c.req.header('x-request-id') ?? '';
  const requestId = REQUEST_ID.test(incoming) ? incoming : createIds(systemClock).uuid();
  const record = startRecord(requestId, c.req.header('traceparent'));
  c.set('record', record);
  const runtime = runtimeOf(c.env);
  if (runtime instanceof ConfigError) {
    const log = createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: 'json', SERVICE_NAME: 'ecommerce-api' }, systemClock.now);
    log.log('fatal', 'misconfigured', {
      ...traceOf(record),
      request_id: await loggable(requestId),
      method: redact(c.req.method),
      path: await loggable(c.req.path),
      status: 503,
      duration_ms: 0,
      user_id: null,
      order_id: null,
      faults: runtime.faults.map((fault) => redact(fault)),
    });
    const refusal = problem(c, new AppError('misconfigured', 'The operator has to correct the configuration.'));
    refusal.headers.set('X-Request-Id', requestId);
    refusal.headers.set('traceparent', traceparentOf(record, false));
    return refusal;
  }
  const startedAtMs = runtime.clock.now().getTime();
  const later: (() => Promise<unknown>)[] = [];
  const log = runtime.log.child(() => traceOf(record));
  c.set('deps', { ...createDeps(runtime, record.trips, later), log });
  const isSampled = await serve(c, runtime, next);
  const endedAtMs = runtime.clock.now().getTime();
  const isTraced = isSampled || (runtime.tracing?.keeps(c.res.status, endedAtMs - startedAtMs) ?? false);
  c.header('X-Request-Id', requestId);
  c.header('traceparent', traceparentOf(record, isTraced));
  const trips = { ...record.trips };
  countRequest(c, runtime, endedAtMs - startedAtMs);
  if (trips.redis > 0) runtime.metrics.count('ecommerce_redis_round_trips_total', [], trips.redis);
  const flush = runtime.isolate.flushLater(c.env);
  if (isLogged(c.res.status, { traceId: record.traceId, rate: runtime.config.LOG_SAMPLE, isTraced })) {
    later.push(() => writeLine(c, { ...record, trips }, { runtime, isTraced, startedAtMs, endedAtMs }));
  }
  if (flush) c.executionCtx.waitUntil(runLater(runtime, [flush]));
  c.executionCtx.waitUntil(runLater(runtime, later).then(() => flushSpans(runtime)));
  return undefined;
});
