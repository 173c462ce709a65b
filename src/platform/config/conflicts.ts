import { hasPlainIssuer } from '../auth/oidc-bindings.ts';
import type { Given } from './faults.ts';

/** Modes in which libpq fails rather than speak in the clear. */
const ENCRYPTED = /^(?:require|verify-ca|verify-full)$/;

/** Variables of which one asks for others: reports those that are missing beside `name`. */
function missingBeside(given: Given, name: string, companions: readonly string[]): string[] {
  if (given[name] === undefined) return [];
  return companions.filter((each) => given[each] === undefined).map((each) => `${each} is needed with ${name}`);
}

/** Whether the password and the rows may cross the network readable. An address that is none is another fault. */
function isPlainDatabase(address: unknown): boolean {
  if (typeof address !== 'string' || !URL.canParse(address)) return false;
  return !ENCRYPTED.test(new URL(address).searchParams.get('sslmode') ?? '');
}

/** Carry a password, a token or rows. */
const GUARDED = [
  'DATABASE_ENDPOINT',
  'UPSTASH_REDIS_REST_URL',
  'EVENTS_URL',
  'MAIL_API_URL',
  'REMOTE_WRITE_URL',
  'STRIPE_API_BASE',
];

/**
 * Hosts that no public network leads to: loopback, RFC 1918, RFC 4193, names of one label or below `.internal`, and of a
 * cluster's services. As URL writes them: an IPv4 address has four decimals, an IPv6 one brackets.
 */
const PRIVATE =
  /^(?:[^.[]+|(?:127|10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.[\d.]+|\[::1\]|\[f[cd][\da-f]{2}:.+|.+\.(?:internal|svc|svc\.cluster\.local))$/;

/** Whether an address leads over a public network in the clear. One that is none is another fault. */
export function isPlainHop(address: unknown): boolean {
  if (typeof address !== 'string' || !URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return protocol === 'http:' && !PRIVATE.test(hostname);
}

function productionFaults(given: Given): string[] {
  if (given['ENVIRONMENT'] !== 'production') return [];
  const faults: string[] = [];
  if (given['PAYMENT_TEST_URL'] !== undefined) faults.push('PAYMENT_TEST_URL must not be set in production');
  if (hasPlainIssuer(given['OIDC_PROVIDERS'])) faults.push('OIDC_PROVIDERS must have https issuers in production');
  if (isPlainDatabase(given['DATABASE_URL'])) {
    faults.push('DATABASE_URL must have sslmode=require, verify-ca or verify-full in production');
  }
  for (const name of GUARDED) {
    if (isPlainHop(given[name])) faults.push(`${name} must be https in production, or within a private network`);
  }
  return faults;
}

/** Stripe's come together, whichever of them is there. */
function stripeFaults(given: Given): string[] {
  const all = ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'STRIPE_RETURN_URL'];
  const beside = [...all, 'STRIPE_API_BASE'].find((name) => given[name] !== undefined);
  return beside === undefined ? [] : missingBeside(given, beside, all);
}

function tracingFaults(given: Given): string[] {
  if (given['TRACING_ENABLED'] !== 'true') return [];
  return missingBeside(given, 'TRACING_ENABLED', [
    given['TRACING_EXPORTER'] === 'jaeger' ? 'JAEGER_ENDPOINT' : 'OTLP_ENDPOINT',
  ]);
}

/** Idle connections are open ones. */
function poolFaults(given: Given): string[] {
  const [open, idle] = [given['DATABASE_MAX_OPEN_CONNS'], given['DATABASE_MAX_IDLE_CONNS']];
  if (open === undefined || idle === undefined || !(Number(idle) > Number(open))) return [];
  return ['DATABASE_MAX_IDLE_CONNS must not exceed DATABASE_MAX_OPEN_CONNS'];
}

/** Bindings that do not fit each other, read from what was given: a fault elsewhere must not hide these. */
export function conflictsOf(given: Given): string[] {
  const secrets =
    given['JWT_ACCESS_SECRET'] !== undefined && given['JWT_ACCESS_SECRET'] === given['JWT_REFRESH_SECRET'];
  return [
    ...(secrets ? ['JWT_REFRESH_SECRET must differ from JWT_ACCESS_SECRET'] : []),
    ...productionFaults(given),
    ...poolFaults(given),
    ...missingBeside(given, 'PAYMENT_TEST_URL', ['PAYMENT_TEST_SECRET', 'PAYMENT_TEST_WEBHOOK_SECRET']),
    ...stripeFaults(given),
    ...missingBeside(given, 'EVENTS_URL', ['EVENTS_SECRET']),
    ...missingBeside(given, 'JWT_ACCESS_SECRET_PREVIOUS', ['JWT_ROTATED_AT']),
    ...missingBeside(given, 'JWT_REFRESH_SECRET_PREVIOUS', ['JWT_ROTATED_AT']),
    ...missingBeside(given, 'OIDC_PROVIDERS', ['OIDC_REDIRECT_URIS']),
    ...missingBeside(given, 'MAIL_API_URL', ['MAIL_API_TOKEN', 'MAIL_FROM']),
    ...tracingFaults(given),
  ];
}

/** The same for what a process of one's own is told. */
export function hostConflictsOf(given: Given): string[] {
  const tls = given['TLS_ENABLED'] === 'true';
  return [...(tls ? missingBeside(given, 'TLS_ENABLED', ['TLS_CERT_FILE', 'TLS_KEY_FILE']) : []), ...poolFaults(given)];
}
