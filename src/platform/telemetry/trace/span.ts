import { AsyncLocalStorage } from 'node:async_hooks';
import { context, createContextKey, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import { redact } from '../redact.ts';
import type { Attributes, AttributeValue, SpanName } from './attributes.ts';

/** A step of a sampled request; of any other request a span that does nothing. */
export interface Span {
  readonly isRecording: boolean;
  set(attributes: Attributes): void;
  /** A moment worth knowing, such as a retry. */
  event(name: 'retry' | 'resend', attributes?: Attributes): void;
  /** `type` as error.type has it: a status, a SQLSTATE or the name of an error, never its message. */
  fail(type: string): void;
  child(name: SpanName, attributes?: Attributes): Span;
  end(): void;
  /** `traceparent` for the hosts on the allow-list, sampled or not; nothing for any other. */
  headersFor(url: string): Record<string, string>;
}

export const NO_SPAN: Span = {
  isRecording: false,
  set: () => undefined,
  event: () => undefined,
  fail: () => undefined,
  child: () => NO_SPAN,
  end: () => undefined,
  headersFor: () => ({}),
};

/** What the steps of a sampled request find in its context. */
export class StepSettings {
  /** Who is called, per system: db.system.name, server.address and so on. */
  readonly peers: Readonly<Record<'postgresql' | 'redis', Attributes>>;
  private readonly hosts: ReadonlySet<string>;

  constructor(peers: StepSettings['peers'], propagationHosts: readonly string[]) {
    this.peers = peers;
    this.hosts = new Set(propagationHosts);
  }

  get propagates(): boolean {
    return this.hosts.size > 0;
  }

  headersFor(url: string, traceparent: string): Record<string, string> {
    return this.hosts.has(new URL(url).host) ? { traceparent } : {};
  }
}

const SETTINGS = createContextKey('step settings');

export function withSettings<Result>(settings: StepSettings, work: () => Result): Result {
  return context.with(context.active().setValue(SETTINGS, settings), work);
}

/** What the steps of a request that is not sampled hand on: the span that its reply names, flagged 00. */
const unsampled = new AsyncLocalStorage<Pick<Span, 'headersFor'>>();

/** W3C Trace Context, 3.2: who takes part in a trace hands its context on, also when it records nothing. */
export function unsampledStep<Result>(settings: StepSettings, traceparent: string, work: () => Result): Result {
  return unsampled.run({ headersFor: (url) => settings.headersFor(url, traceparent) }, work);
}

/** Work for after the reply, whose steps belong to the request that asked for it. */
export function inThisTrace<Result>(work: () => Result): () => Result {
  return AsyncLocalStorage.bind(work);
}

/**
 * Opens a step under the request's server span, which async context carries: the tree stays right however verbs call
 * each other, and nothing is handed through them. Costs two look-ups when the request is not sampled.
 */
export function startSpan(name: SpanName, attributes: Attributes = {}, peer?: keyof StepSettings['peers']): Span {
  const active = context.active();
  const settings = active.getValue(SETTINGS);
  if (!(settings instanceof StepSettings)) {
    const passing = unsampled.getStore();
    return passing ? { ...NO_SPAN, ...passing } : NO_SPAN;
  }
  return open(active, settings, name, { ...(peer && settings.peers[peer]), ...attributes });
}

function present(attributes: Attributes): Record<string, AttributeValue> {
  const entries = Object.entries(attributes);
  return Object.fromEntries(entries.flatMap(([key, value]) => (value == null ? [] : [[key, value]])));
}

function open(parent: Context, settings: StepSettings, name: SpanName, attributes: Attributes): Span {
  const options = { kind: SpanKind.CLIENT, attributes: present(attributes) };
  const span = trace.getTracer('edge-commerce').startSpan(name, options, parent);
  const { traceId, spanId } = span.spanContext();
  return {
    isRecording: true,
    set: (more) => void span.setAttributes(present(more)),
    event: (title, more = {}) => void span.addEvent(title, present(more)),
    fail: (type) => void span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', redact(type)),
    child: (title, more = {}) => open(trace.setSpan(parent, span), settings, title, more),
    end: () => span.end(),
    headersFor: (url) => settings.headersFor(url, `00-${traceId}-${spanId}-01`),
  };
}
