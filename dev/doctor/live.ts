import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, fail, pass, skipped, type Verdict } from './check.ts';
import type { Deployment } from './deployment.ts';
import { examineTls } from './tls.ts';

const TIMEOUT_MS = 10_000;
const TICKS_MISSED_MAX = 3;
const TICK_POLL_MS = 2_000;
const FOREIGN = 'https://foreign.invalid';
const HSTS_SECONDS_MIN = 15_552_000;

type Look = (url: string, deployment: Deployment) => Promise<Verdict>;

/** A check of what answers at --url. */
function live(id: string, title: string, look: Look): Check {
  const run = (deployment: Deployment) =>
    deployment.url === null
      ? skipped('not looked at', '--url https://the.deployment')
      : look(deployment.url, deployment);
  return { id, title, run };
}

export function get(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
}

const tls = live('tls', 'TLS 1.2 or 1.3 with a valid certificate, and nothing older', (url, deployment) =>
  examineTls(url, deployment),
);

const WANTED: readonly [header: string, isGood: (value: string) => boolean, remedy: string][] = [
  ['x-content-type-options', (value) => value === 'nosniff', 'nosniff'],
  ['x-frame-options', (value) => value === 'DENY' || value === 'SAMEORIGIN', 'DENY'],
  ['content-security-policy', (value) => value.includes("default-src 'none'"), "default-src 'none'"],
  ['referrer-policy', (value) => value !== '' && value !== 'unsafe-url', 'no-referrer'],
  [
    'strict-transport-security',
    (value) => Number(/max-age=(\d+)/.exec(value)?.[1] ?? 0) >= HSTS_SECONDS_MIN,
    'max-age=63072000; includeSubDomains',
  ],
];

const securityHeaders = live('security-headers', 'Security headers', async (url) => {
  const { headers } = await get(`${url}/api/v1/products?limit=1`);
  const bad = WANTED.filter(([name, isGood]) => !isGood(headers.get(name) ?? ''));
  if (bad.length === 0) return pass(WANTED.map(([name]) => name).join(', '));
  const remedies = bad.map(([name, , value]) => `${name}: ${value}`);
  return fail(
    `not as they should be: ${bad.map(([name]) => name).join(', ')}`,
    `a proxy must keep ${remedies.join(' and ')}`,
  );
});

const cors = live('cors-live', 'A foreign origin is refused, a listed one let in', async (url, { values }) => {
  const grantTo = async (origin: string) =>
    (await get(`${url}/api/v1/products?limit=1`, { origin })).headers.get('access-control-allow-origin');
  if ((await grantTo(FOREIGN)) !== null) return fail(`${FOREIGN} may read replies`, 'no proxy may add CORS headers');
  const [listed] = (values['ALLOWED_ORIGINS'] ?? '').split(',').map((origin) => origin.trim());
  if (listed === undefined || listed === '') return pass('a foreign origin gets nothing; none is listed here');
  const granted = await grantTo(listed);
  if (granted === listed) return pass(`a foreign origin gets nothing, ${listed} may read`);
  return fail(`${listed} is listed but may not read`, 'deploy the ALLOWED_ORIGINS that are written here');
});

const rateLimits = live('rate-limits-live', 'Replies say what is left of the limit', async (url, { values }) => {
  const { headers } = await get(`${url}/api/v1/products?limit=1`);
  const limit = headers.get('ratelimit-limit');
  const remaining = headers.get('ratelimit-remaining');
  if (limit === null || remaining === null)
    return fail('no RateLimit headers', 'RATE_LIMIT_ENABLED=true, and see Redis');
  const wanted = values['RATE_LIMIT_PUBLIC'] ?? '100';
  if (limit !== wanted)
    return fail(`${limit} in place of ${wanted}`, 'deploy the RATE_LIMIT_PUBLIC that is written here');
  return pass(`${remaining} of ${limit} are left`);
});

const health = live('health', 'Health, liveness and readiness', async (url, { values, environment }) => {
  for (const path of ['/health/live', '/health/ready', '/health']) {
    const { status } = await get(`${url}${path}`);
    if (status !== 200) return fail(`${path} answers ${status}`, 'its body and the log name what is failing');
  }
  const body: unknown = await (await get(`${url}/health`)).json();
  const told = new Map(Object.entries(body ?? {}));
  const [version, buildTime] = [String(told.get('version')), told.get('build_time')];
  if (told.get('environment') !== (environment === 'dev' ? 'development' : environment) && environment !== 'dev') {
    return fail(`it says it is ${String(told.get('environment'))}`, 'see whether --url or --env is the other one');
  }
  const wanted = values['SERVICE_VERSION'];
  if (wanted !== undefined && wanted !== version) return fail(`version ${version} in place of ${wanted}`, 'deploy it');
  if (environment !== 'dev' && (version === '0.0.0' || typeof buildTime !== 'string')) {
    return fail('it does not know its version and build time', 'npm run deploy sets SERVICE_VERSION and BUILD_TIME');
  }
  return pass(`version ${version}, built ${typeof buildTime === 'string' ? buildTime : 'at an unknown time'}`);
});

/** The scrape, again and again until there was a tick or patience is at its end. */
async function scrapeWithTick(url: string, token: string, deadlineMs: number) {
  for (;;) {
    const reply = await get(`${url}/metrics`, { authorization: `Bearer ${token}` });
    const text = await reply.text();
    const tickAt = /^ecommerce_tick_last_success_timestamp_seconds (\S+)$/m.exec(text)?.[1];
    if (reply.status !== 200 || tickAt !== undefined || Date.now() >= deadlineMs) {
      return { status: reply.status, text, tickAt };
    }
    await sleep(TICK_POLL_MS);
  }
}

const metrics = live('metrics', '/metrics wants its token and is scraped', async (url, { values, now, patienceMs }) => {
  const { status } = await get(`${url}/metrics`);
  if (status !== 401) return fail(`without a token it answers ${status}`, 'no proxy may add the token');
  const token = values['METRICS_TOKEN'];
  if (token === undefined) return skipped('it wants a token, which is not known here', 'METRICS_TOKEN in --env-file');
  const { status: answer, text, tickAt } = await scrapeWithTick(url, token, Date.now() + patienceMs);
  if (answer !== 200 || !text.includes('ecommerce_build_info')) {
    return fail(`with METRICS_TOKEN it answers ${answer}`, 'deploy the METRICS_TOKEN that is written here');
  }
  if (tickAt === undefined)
    return fail('no tick has ever succeeded', 'see the cron trigger, and `tick failed` in the log');
  const age = Math.round(now().getTime() / 1000 - Number(tickAt));
  if (age > TICKS_MISSED_MAX * Number(values['TICK_INTERVAL'] ?? 60))
    return fail(`the last tick was ${age} s ago`, 'see the cron trigger and the log');
  return pass(`${text.split('\n').length} lines, the last tick ${age} s ago`);
});

const docs = live('docs', 'The contract is served', async (url) => {
  for (const path of ['/docs', '/openapi.json']) {
    const { status } = await get(`${url}${path}`);
    // A folder may be sent to its slash.
    if (status >= 400) return fail(`${path} answers ${status}`, 'the assets were not deployed: npm run build');
  }
  return pass('/docs and /openapi.json');
});

const admin = live('admin', 'Staff routes are closed to strangers', async (url) => {
  const { status } = await get(`${url}/api/v1/admin/audit-log`);
  return status === 401 ? pass('401') : fail(`a stranger gets ${status}`, 'no proxy may add credentials');
});

export const liveChecks: readonly Check[] = [tls, securityHeaders, cors, rateLimits, health, metrics, docs, admin];
