import { redact, type Loggable } from '../redact.ts';
import type { Attributes } from './attributes.ts';
import { ERROR, INTERNAL, SERVER, toKeyValues, unixNanoOfMs, type OtlpSpan } from './otlp.ts';

interface Timed {
  traceId: string;
  spanId: string;
  startedAtMs: number;
  endedAtMs: number;
}

/** What a request's log line says of it. */
export interface ServedRequest extends Timed {
  parentSpanId: string | null;
  method: string;
  scheme: 'http' | 'https';
  path: Loggable;
  /** Null when no route matched. */
  route: Loggable | null;
  status: number;
  userId: Loggable | null;
  orderId: Loggable | null;
  errorCode: Loggable | null;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

function rootSpan({ traceId, spanId, startedAtMs, endedAtMs }: Timed, attributes: Attributes) {
  return {
    traceId,
    spanId,
    startTimeUnixNano: unixNanoOfMs(startedAtMs),
    endTimeUnixNano: unixNanoOfMs(endedAtMs),
    attributes: toKeyValues(attributes),
    events: [],
    status: attributes['error.type'] == null ? {} : { code: ERROR },
  };
}

/**
 * The server span, made from the log record and nothing else, so that no header, query string or address of the caller
 * can get into it; names are OpenTelemetry's conventions for HTTP.
 */
export function toServerSpan(served: ServedRequest): OtlpSpan {
  const method = METHODS.has(served.method) ? served.method : null;
  return {
    ...rootSpan(served, {
      'http.request.method': redact(method ?? '_OTHER'),
      'http.route': served.route,
      'http.response.status_code': served.status,
      'url.path': served.path,
      'url.scheme': served.scheme,
      'user.id': served.userId,
      'ecommerce.order.id': served.orderId,
      'ecommerce.error.code': served.errorCode,
      'error.type': served.status >= 500 ? redact(String(served.status)) : null,
    }),
    ...(served.parentSpanId !== null && { parentSpanId: served.parentSpanId }),
    name: `${method ?? 'HTTP'}${served.route === null ? '' : ` ${served.route}`}`,
    kind: SERVER,
  };
}

/** The root span of work that no request asked for; `error.type` among the attributes makes it a failed one. */
export function toTaskSpan(name: string, task: Timed, attributes: Attributes): OtlpSpan {
  return { ...rootSpan(task, attributes), name, kind: INTERNAL };
}
