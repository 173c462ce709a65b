import { SpanStatusCode } from '@opentelemetry/api';
import type { TraceFlushableSpanProcessor } from '@microlabs/otel-cf-workers';
import { VALUE_CHARS_MAX, type Attributes, type AttributeValue } from './attributes.ts';

/**
 * OTLP/JSON of opentelemetry-proto's trace.v1 (ids in hex, 64-bit numbers as decimal strings), written by hand: the
 * library's own serializer brings the whole protobuf runtime along, and keeps no attribute away.
 */
type AnyValue = { stringValue: string } | { intValue: string } | { doubleValue: number } | { boolValue: boolean };
interface KeyValue {
  key: string;
  value: AnyValue;
}
interface OtlpEvent {
  timeUnixNano: string;
  name: string;
  attributes: KeyValue[];
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValue[];
  events: OtlpEvent[];
  status: { code?: number };
}

export type EndedSpan = Parameters<TraceFlushableSpanProcessor['onEnd']>[0];

/** Span.SpanKind and Status.StatusCode of the protocol. */
export const INTERNAL = 1;
export const SERVER = 2;
export const ERROR = 2;

function toValue(value: AttributeValue): AnyValue {
  if (typeof value === 'string') return { stringValue: value.slice(0, VALUE_CHARS_MAX) };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

const isPlain = (value: unknown): value is AttributeValue => ['string', 'number', 'boolean'].includes(typeof value);

export function toKeyValues(attributes: Readonly<Record<string, unknown>>): KeyValue[] {
  return Object.entries(attributes).flatMap(([key, value]) => (isPlain(value) ? [{ key, value: toValue(value) }] : []));
}

export function unixNanoOfMs(ms: number): string {
  return `${ms}000000`;
}

const unixNano = ([seconds, nanos]: readonly [number, number]): string => `${seconds}${String(nanos).padStart(9, '0')}`;

/** A span of the library as it is sent. The library counts kinds from 0, the protocol from 1. */
export function toOtlp(span: EndedSpan): OtlpSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    traceId,
    spanId,
    ...(span.parentSpanContext && { parentSpanId: span.parentSpanContext.spanId }),
    name: span.name,
    kind: span.kind + 1,
    startTimeUnixNano: unixNano(span.startTime),
    endTimeUnixNano: unixNano(span.endTime),
    attributes: toKeyValues(span.attributes),
    events: span.events.map(({ time, name, attributes }) => ({
      timeUnixNano: unixNano(time),
      name,
      attributes: toKeyValues(attributes ?? {}),
    })),
    status: span.status.code === SpanStatusCode.ERROR ? { code: ERROR } : {},
  };
}

/** An ExportTraceServiceRequest. */
export function toRequest(spans: readonly OtlpSpan[], resource: Attributes): string {
  const scope = { name: 'edge-commerce' };
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: toKeyValues(resource) }, scopeSpans: [{ scope, spans }] }],
  });
}
