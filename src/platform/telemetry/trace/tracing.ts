import type * as Sdk from '@microlabs/otel-cf-workers';
import type { TraceFlushableSpanProcessor } from '@microlabs/otel-cf-workers';
import { trace } from '@opentelemetry/api';
import type { Clock } from '../../clock.ts';
import type { Config } from '../../config.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/buffer.ts';
import { redact } from '../redact.ts';
import { isSampled } from '../sampling.ts';
import type { Attributes } from './attributes.ts';
import { SERVER, toOtlp, toRequest, type OtlpSpan } from './otlp.ts';
import { postTraces } from './post.ts';
import { SpanQueue } from './queue.ts';
import { StepSettings, unsampledStep, withSettings } from './span.ts';

/** What the library needs of a request's execution context. */
interface Execution {
  waitUntil(promise: Promise<unknown>): void;
  passThroughOnException(): void;
}
type TracedFetch = (standIn: Request, env: object, execution: Execution) => Promise<Response>;

export interface TraceStart {
  traceId: string;
  parentSpanId: string | null;
}

export interface Tracing {
  /** Decided by the trace id alone. */
  samples(traceId: string): boolean;
  /** Whether a request that was not sampled is bad enough to be known by its server span. */
  keeps(status: number, durationMs: number): boolean;
  /**
   * Runs a sampled request; the steps taken in `handle` become children of the server span, whose id it is given. Should
   * the library fail, the request runs without: `handle` is given null and the answer is false.
   */
  run(start: TraceStart, execution: Execution, handle: (spanId: string | null) => Promise<unknown>): Promise<boolean>;
  /** Runs a request that is not sampled: its steps only hand `traceparent` on, to who may have it. */
  pass<Result>(traceparent: string, work: () => Result): Result;
  /** Queues a root span, made from what the log says. */
  add(span: OtlpSpan): void;
  /** Deferred work that sends the spans, for the one request that has to run it; else null. */
  flushLater(): (() => Promise<void>) | null;
}

/**
 * The library takes a trace id only along with a parent. A trace that starts here gets this one, and the server span that
 * is exported does not name it.
 */
const NO_PARENT = 'ffffffffffffffff';
const ALWAYS = { shouldSample: () => ({ decision: 2 as const }), toString: () => 'always' };

function peersOf({ DATABASE_URL, UPSTASH_REDIS_REST_URL }: Config): StepSettings['peers'] {
  const database = new URL(DATABASE_URL);
  const redis = new URL(UPSTASH_REDIS_REST_URL);
  return {
    postgresql: {
      'db.system.name': 'postgresql',
      'db.namespace': redact(decodeURIComponent(database.pathname.slice(1))),
      'server.address': redact(database.hostname),
      'server.port': Number(database.port) || 5432,
    },
    redis: {
      'db.system.name': 'redis',
      'server.address': redact(redis.hostname),
      'server.port': Number(redis.port) || (redis.protocol === 'https:' ? 443 : 80),
    },
  };
}

interface TracingParts {
  config: Config;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

/** Null when tracing is off. */
export function createTracing({ config, clock, log, metrics }: TracingParts): Tracing | null {
  const url = config.TRACING_EXPORTER === 'jaeger' ? config.JAEGER_ENDPOINT : config.OTLP_ENDPOINT;
  if (!config.TRACING_ENABLED || url === undefined) return null;
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const resource: Attributes = {
    'service.name': redact(config.SERVICE_NAME),
    'service.version': redact(config.SERVICE_VERSION),
    'deployment.environment.name': redact(config.ENVIRONMENT),
    'telemetry.sdk.language': 'webjs',
    'telemetry.sdk.name': '@microlabs/otel-cf-workers',
  };
  const target = { url, headers: config.OTLP_HEADERS, wait };
  const queue = new SpanQueue({
    nowMs: () => clock.now().getTime(),
    wait,
    send: (spans) => postTraces(target, toRequest(spans, resource)),
    onDrop: (spans, reason) => {
      metrics.count('ecommerce_trace_spans_dropped_total', [reason], spans);
      log.log('warn', 'spans dropped', { spans, reason });
    },
  });
  const settings = new StepSettings(peersOf(config), config.TRACE_PROPAGATION_HOSTS);
  return {
    samples: (traceId) => isSampled(traceId, config.TRACING_SAMPLING_RATE),
    keeps: (status, durationMs) => status >= 500 || durationMs > config.TRACING_SLOW_MS,
    run: createRunner({ config, settings, queue, log }),
    pass: (traceparent, work) => (settings.propagates ? unsampledStep(settings, traceparent, work) : work()),
    add: (span) => queue.add(span),
    flushLater: () => queue.flushLater(),
  };
}

/** Its server span is dropped here: the one that is sent is made from the log record. */
function processorFor(queue: SpanQueue): TraceFlushableSpanProcessor {
  const nothing = () => Promise.resolve();
  return {
    onStart: () => undefined,
    onEnd: (span) => {
      if (span.kind + 1 !== SERVER) queue.add(toOtlp(span));
    },
    forceFlush: nothing,
    shutdown: nothing,
  };
}

interface RunnerParts {
  config: Config;
  settings: StepSettings;
  queue: SpanQueue;
  log: Logger;
}

function createRunner({ config, settings, queue, log }: RunnerParts): Tracing['run'] {
  const options = {
    service: { name: config.SERVICE_NAME, version: config.SERVICE_VERSION },
    spanProcessors: [processorFor(queue)],
    sampling: { headSampler: ALWAYS },
    instrumentation: { instrumentGlobalFetch: false, instrumentGlobalCache: false },
  };
  // Loaded by the first sampled request: an isolate that samples none does not pay for its start.
  let sdk: Promise<typeof Sdk> | null = null;
  return async ({ traceId, parentSpanId }, execution, handle) => {
    let isEntered = false;
    const serve = async () => {
      isEntered = true;
      await handle(trace.getActiveSpan()?.spanContext().spanId ?? null);
      return new Response(null);
    };
    try {
      sdk ??= import('@microlabs/otel-cf-workers');
      const { instrument } = await sdk;
      // The library sees a stand-in and no bindings: it would copy the query string, user agent and address of the real
      // request into attributes, and probe real bindings with random property names, which leaks.
      const traceparent = `00-${traceId}-${parentSpanId ?? NO_PARENT}-01`;
      const standIn = new Request('https://request.invalid/', { headers: { traceparent } });
      const traced = instrument({ fetch: () => withSettings(settings, serve) }, options);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it asks for every property and uses these alone
      await (traced.fetch as TracedFetch)(standIn, {}, execution);
    } catch (error) {
      if (isEntered) throw error;
      log.log('error', 'tracing failed', { cause: redact(String(error)) });
      await handle(null);
      return false;
    }
    return true;
  };
}
