import { redact } from '../redact.ts';
import { VALUE_CHARS_MAX, type Attributes } from './attributes.ts';
import { NO_SPAN, startSpan, type Span } from './span.ts';

const OPERATION = /^\s*([a-z]+)/i;

/**
 * A batch is one exchange, so its statements share its time; each is a span of its own with its text, which holds
 * placeholders and never a value. `texts` is asked for only when the request is sampled.
 */
export async function traceBatch<Result>(
  readOnly: boolean,
  texts: () => readonly string[],
  work: (span: Span) => Promise<Result>,
): Promise<Result> {
  const span = startSpan('BATCH', { 'db.operation.name': 'BATCH' }, 'postgresql');
  if (!span.isRecording) return await work(NO_SPAN);
  const statements = texts();
  span.set({ 'db.operation.batch.size': statements.length, 'ecommerce.db.read_only': readOnly });
  const children = statements.map((text) => {
    const operation = redact(OPERATION.exec(text)?.[1]?.toUpperCase() ?? 'SQL');
    return span.child(operation, {
      'db.system.name': 'postgresql',
      'db.operation.name': operation,
      'db.query.text': redact(text, VALUE_CHARS_MAX),
    });
  });
  try {
    return await work(span);
  } finally {
    for (const child of children) child.end();
    span.end();
  }
}

/** fetch as a step: method, host and status, no path and no query, and traceparent for the hosts that may have it. */
export async function tracedFetch(url: string, init: RequestInit, attributes: Attributes = {}): Promise<Response> {
  const method = redact(init.method ?? 'GET');
  const span = startSpan(method, { 'http.request.method': method, ...attributes });
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(span.headersFor(url))) headers.set(name, value);
  if (!span.isRecording) return await fetch(url, { ...init, headers });
  const { hostname, port, protocol } = new URL(url);
  span.set({ 'server.address': redact(hostname), 'server.port': Number(port) || (protocol === 'https:' ? 443 : 80) });
  try {
    const response = await fetch(url, { ...init, headers });
    span.set({ 'http.response.status_code': response.status });
    if (response.status >= 400) span.fail(String(response.status));
    return response;
  } catch (error) {
    span.fail(error instanceof Error ? error.name : 'unknown');
    throw error;
  } finally {
    span.end();
  }
}
