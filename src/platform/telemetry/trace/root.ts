import { ERROR, SERVER, toKeyValues, unixNanoOfMs, type OtlpSpan } from './otlp.ts';

/** What a request's log record says of it; `path` with ids of carts already replaced. */
export interface ServedRequest {
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  startedAtMs: number;
  endedAtMs: number;
  method: string;
  scheme: string;
  path: string;
  /** Null when no route matched. */
  route: string | null;
  status: number;
  userId: string | null;
  orderId: string | null;
  errorCode: string | null;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

/**
 * The server span, made from the log record and nothing else, so that no header, query string or address of the caller
 * can get into it; names are OpenTelemetry's conventions for HTTP.
 */
export function toRootSpan(served: ServedRequest): OtlpSpan {
  const known = METHODS.has(served.method);
  const isError = served.status >= 500;
  return {
    traceId: served.traceId,
    spanId: served.spanId,
    ...(served.parentSpanId !== null && { parentSpanId: served.parentSpanId }),
    name: `${known ? served.method : 'HTTP'}${served.route === null ? '' : ` ${served.route}`}`,
    kind: SERVER,
    startTimeUnixNano: unixNanoOfMs(served.startedAtMs),
    endTimeUnixNano: unixNanoOfMs(served.endedAtMs),
    attributes: toKeyValues({
      'http.request.method': known ? served.method : '_OTHER',
      'http.route': served.route,
      'http.response.status_code': served.status,
      'url.path': served.path,
      'url.scheme': served.scheme,
      'user.id': served.userId,
      'ecommerce.order.id': served.orderId,
      'ecommerce.error.code': served.errorCode,
      'error.type': isError ? String(served.status) : null,
    }),
    events: [],
    status: isError ? { code: ERROR } : {},
  };
}
