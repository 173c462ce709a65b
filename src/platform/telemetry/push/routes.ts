import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { AppError } from '../../errors.ts';
import { equalSecret } from '../../auth/hmac.ts';
import type { AppContext, AppEnv } from '../../http/context.ts';
import { parsePoints, TextFormatError } from '../metrics/parse.ts';
import type { PointFamily } from '../metrics/point.ts';
import type { Push } from './groups.ts';
import { groupOfPath, KeyNotText, PushRefused } from './key.ts';
import { parseDelimited } from './protobuf.ts';

const BODY_BYTES_MAX = 1024 * 1024;
const INCONSISTENT = 'pushed metrics are invalid or inconsistent with existing metrics';
const MODES: Record<string, Push['mode']> = { PUT: 'reset', POST: 'merge', DELETE: 'remove' };

/** Where groups are kept; over RPC. Null when the push was taken in, otherwise what is wrong with it. */
export interface PushTarget {
  push(push: Push): Promise<string | null>;
}

/** What the Pushgateway answers with: one line of text. */
function answer(message: string, status: number): Response {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
  return new Response(`${message}\n`, { status, headers });
}

/** Bearer, or as the password of Basic, which is what some Pushgateway clients can send. Closed without a token. */
function requireToken(c: AppContext): void {
  const { METRICS_TOKEN } = c.get('deps').config;
  if (METRICS_TOKEN === undefined) throw new AppError('not_found', 'Pushing is off: METRICS_TOKEN is not set.');
  const [, scheme = '', credentials = ''] = /^(bearer|basic) (\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
  const given = scheme.toLowerCase() === 'basic' ? passwordOf(credentials) : credentials;
  if (!equalSecret(given, METRICS_TOKEN)) {
    throw new AppError('unauthenticated', 'Send the bearer token of the metrics.', { param: 'Authorization' });
  }
}

function passwordOf(credentials: string): string {
  try {
    return atob(credentials).replace(/^[^:]*:/, '');
  } catch {
    return '';
  }
}

/** RFC 9110 leaves the order of a media type's parameters open. */
function isDelimitedProtobuf(contentType: string): boolean {
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().replaceAll('"', ''));
  return (
    type.toLowerCase() === 'application/vnd.google.protobuf' &&
    parameters.includes('encoding=delimited') &&
    parameters.includes('proto=io.prometheus.client.MetricFamily')
  );
}

async function readFamilies(c: AppContext): Promise<PointFamily[]> {
  const body = new Uint8Array(await c.req.arrayBuffer());
  return isDelimitedProtobuf(c.req.header('content-type') ?? '') ? parseDelimited(body) : parsePoints(body);
}

/** What cannot be stored may be sent again: a push means the same however often it comes. */
async function store(target: PushTarget, push: Push): Promise<string | null> {
  try {
    return await target.push(push);
  } catch (cause) {
    throw new AppError('dependency_unavailable', 'The push cannot be stored right now.', { cause, retryAfterS: 5 });
  }
}

async function takeIn(c: AppContext, target: PushTarget): Promise<Response> {
  requireToken(c);
  const mode = MODES[c.req.method];
  const { pathname } = new URL(c.req.url);
  if (mode === undefined) return new Response(null, { status: 405, headers: { allow: 'DELETE, POST, PUT' } });
  // An empty value needs base64: the gateway sends a path with two slashes on to one without.
  if (pathname.includes('//')) {
    return new Response(null, { status: 301, headers: { location: pathname.replaceAll(/\/{2,}/g, '/') } });
  }
  try {
    const labels = groupOfPath(pathname);
    if (labels === null) return answer('404 page not found', 404);
    const families = mode === 'remove' ? [] : await readFamilies(c);
    const fault = await store(target, { mode, labels, families });
    if (fault !== null) return answer(`${INCONSISTENT}: ${fault}`, 400);
    return new Response(null, { status: mode === 'remove' ? 202 : 200 });
  } catch (error) {
    if (error instanceof KeyNotText) {
      return mode === 'remove' ? new Response(null, { status: 202 }) : answer(`${INCONSISTENT}: ${error.message}`, 400);
    }
    if (error instanceof PushRefused || error instanceof TextFormatError) return answer(error.message, 400);
    throw error;
  }
}

/**
 * `PUT|POST|DELETE /metrics/job/<job>{/<label>/<value>}` as Prometheus's Pushgateway answers them: 200, 200, 202, or 400
 * with one line of text. No part of the API's own contract, so it stands on the app as middleware does.
 */
export function createPushRoutes(targetOf: (env: object) => PushTarget): Hono<AppEnv> {
  const limit = bodyLimit({
    maxSize: BODY_BYTES_MAX,
    onError: () => answer(`a push may hold ${BODY_BYTES_MAX} bytes`, 413),
  });
  const routes = new Hono<AppEnv>();
  for (const path of ['/metrics/job/*', '/metrics/job@base64/*']) {
    routes.all(path, limit, (c) => takeIn(c, targetOf(c.env)));
  }
  return routes;
}
