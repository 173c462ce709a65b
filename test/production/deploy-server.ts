import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export const TOKEN = 'metrics-token-of-the-test';
/** Ids of versions, as the stand-in of wrangler gives them. */
export const OLD = '00000000-0000-4000-8000-0000000000aa';
export const FRESH = '00000000-0000-4000-8000-0000000000bb';

export interface LiveDeployment {
  url: string;
  /** Fraction of the requests that fail: of the version before, and of the new one. */
  failing: { old: number; fresh: number };
  /** Paths at which the new version fails. */
  broken: Set<string>;
  /** The version before is no shop at all. */
  closed: boolean;
  /** Each request with the version that answered it. */
  seen: { path: string; version: string }[];
}

interface State {
  versions: { version_id: string; percentage: number }[];
  variables: Record<string, string>;
}

/** Shoppers' requests between two scrapes. */
const TRAFFIC = 10_000;

/**
 * Answers as the deployment in `stateFile` would: by the override while its version is deployed, otherwise the version
 * with the larger share. Each scrape of /metrics finds TRAFFIC requests more than the one before.
 */
export async function startDeployment(stateFile: string): Promise<LiveDeployment> {
  const counts = { requests: 5_000_000, errors: 50_000 };
  const live: LiveDeployment = { url: '', failing: { old: 0, fresh: 0 }, broken: new Set(), closed: false, seen: [] };
  const server = createServer((request, response) => {
    const state = stateOf(stateFile);
    const version = versionFor(request, state);
    const path = new URL(request.url ?? '/', 'http://shop').pathname;
    live.seen.push({ path, version });
    const isBroken = version === FRESH && live.broken.has(path);
    const isClosed = version === OLD && live.closed;
    const { status, body } =
      isBroken || isClosed ? { status: isBroken ? 500 : 404, body: {} } : answer(request, path, version, state);
    if (path === '/metrics' && status === 200) {
      const fresh = (state.versions.find(({ version_id }) => version_id === FRESH)?.percentage ?? 0) / 100;
      counts.requests += TRAFFIC;
      counts.errors += TRAFFIC * (fresh * live.failing.fresh + (1 - fresh) * live.failing.old);
      response.end(exposition(counts));
      return;
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  live.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return live;
}

function stateOf(file: string): State {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as State) : { versions: [], variables: {} };
}

function versionFor(request: IncomingMessage, { versions }: State): string {
  const header = String(request.headers['cloudflare-workers-version-overrides'] ?? '');
  const [, asked] = /^edge-commerce="([^"]+)"$/.exec(header) ?? [];
  const isDeployed = versions.some(({ version_id }) => version_id === asked);
  return isDeployed ? asked! : (versions.toSorted((a, b) => b.percentage - a.percentage)[0]?.version_id ?? '');
}

function answer(request: IncomingMessage, path: string, version: string, { variables }: State) {
  const isFresh = version === FRESH;
  if (path === '/health') {
    const build = isFresh ? variables['BUILD_TIME'] : '2026-01-01T00:00:00Z';
    const name = isFresh ? variables['SERVICE_VERSION'] : '1.3.0+0000000';
    return { status: 200, body: { status: 'ok', version: name, build_time: build } };
  }
  if (path === '/metrics') {
    const isKnown = request.headers.authorization === `Bearer ${TOKEN}`;
    return isKnown ? { status: 200, body: {} } : { status: 401, body: { code: 'unauthenticated' } };
  }
  if (path === '/api/v1/products') return { status: 200, body: { data: [] } };
  if (path === '/openapi.json') return { status: 200, body: { openapi: '3.1.0' } };
  if (path === '/api/v1/carts' && request.method === 'POST') return { status: 201, body: { id: 'c1' } };
  if (path === '/api/v1/carts/c1') return { status: 200, body: { id: 'c1' } };
  return { status: 404, body: { code: 'not_found' } };
}

function exposition({ requests, errors }: { requests: number; errors: number }): string {
  return [
    '# TYPE ecommerce_http_requests_total counter',
    `ecommerce_http_requests_total{method="GET",route="/api/v1/products",status="200"} ${requests - errors}`,
    `ecommerce_http_requests_total{method="GET",route="/api/v1/products",status="500"} ${errors}`,
    '# TYPE ecommerce_http_errors_total counter',
    `ecommerce_http_errors_total{method="GET",route="/api/v1/products",status="500"} ${errors}`,
    '',
  ].join('\n');
}
