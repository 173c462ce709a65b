import * as z from 'zod';
import { hasPlainIssuer, oidcProviders, redirectUris } from './auth/oidc-bindings.ts';
import { remoteWriteLabels } from './telemetry/remote-write/labels.ts';
import { exactHosts, otlpEndpoint, otlpHeaders } from './telemetry/trace/bindings.ts';

/** Of the guide and of many an example: a secret that is written somewhere is none. */
const PLACEHOLDER =
  /generate-(?:strong-random|another-strong-random)|your-|change-?me|example|placeholder|secret-?key/i;
const DISTINCT_MIN = 12;

const secret = z
  .string()
  .min(32, { error: 'must have at least 32 characters', abort: true })
  .refine((value) => new Set(value).size >= DISTINCT_MIN, {
    error: `must have at least ${DISTINCT_MIN} different characters`,
    abort: true,
  })
  .refine((value) => !PLACEHOLDER.test(value), 'must not be a placeholder');
const seconds = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const milliseconds = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const fraction = z.coerce.number().min(0).max(1);
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' });
/** `{token}` is replaced; in the fragment no server and no log sees it: https://shop.example/reset#token={token} */
const linkUrl = httpUrl.max(500).refine((url) => url.includes('{token}'), 'must contain {token}');

const origins = z
  .string()
  .default('')
  .transform((value) => value.split(',').flatMap((origin) => origin.trim() || []))
  .pipe(
    z.array(
      z
        .url({ protocol: /^https?$/, error: 'must list exact origins, separated by commas', abort: true })
        .refine((origin) => new URL(origin).origin === origin, 'must list origins without a path'),
    ),
  );

const bindings = z.object({
  ENVIRONMENT: z.enum(['development', 'test', 'staging', 'production']),
  SERVICE_NAME: z.string().min(1).max(64).default('ecommerce-api'),
  SERVICE_VERSION: z.string().min(1).max(64).default('0.0.0'),

  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }),
  DATABASE_ENDPOINT: httpUrl.optional(),
  DATABASE_TIMEOUT_MS: milliseconds(100, 60_000).default(10_000),

  UPSTASH_REDIS_REST_URL: httpUrl,
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1, 'must not be empty'),
  REDIS_TIMEOUT_MS: milliseconds(10, 10_000).default(500),
  /** How long a catalog reply may be served that nobody announced a change of; 0 caches nothing. */
  CACHE_TTL: seconds(0, 86_400).default(60),

  JWT_ACCESS_SECRET: secret,
  JWT_REFRESH_SECRET: secret,
  JWT_ACCESS_SECRET_PREVIOUS: secret.optional(),
  JWT_REFRESH_SECRET_PREVIOUS: secret.optional(),
  /** When the secrets were changed: tokens of the previous ones are good for one life of a token from then on. */
  JWT_ROTATED_AT: z.iso.datetime({ offset: true }).optional(),
  JWT_ACCESS_TTL: seconds(60, 86_400).default(900),
  JWT_REFRESH_TTL: seconds(3_600, 31_536_000).default(604_800),
  ORDER_TOKEN_SECRET: secret,

  RATE_LIMIT_ENABLED: flag.default(true),
  RATE_LIMIT_PUBLIC: z.coerce.number().int().min(1).default(100),
  RATE_LIMIT_AUTHENTICATED: z.coerce.number().int().min(1).default(500),
  RATE_LIMIT_LOGIN: z.coerce.number().int().min(1).default(10),
  RATE_LIMIT_REGISTER: z.coerce.number().int().min(1).default(10),
  RATE_LIMIT_RESET: z.coerce.number().int().min(1).default(5),
  RATE_LIMIT_ORDER: z.coerce.number().int().min(1).default(20),
  RATE_LIMIT_WINDOW: seconds(1, 3_600).default(60),
  TRUSTED_IP_HEADER: z.enum(['cf-connecting-ip', 'x-real-ip']).default('cf-connecting-ip'),
  ALLOWED_ORIGINS: origins,
  /** Origins whose browsers may send cookies along; nobody's by default. */
  CREDENTIAL_ORIGINS: origins,

  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  LOG_FORMAT: z.enum(['json', 'console']).default('json'),
  LOG_SAMPLE: fraction.default(1),

  METRICS_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  METRICS_FLUSH_SECONDS: seconds(1, 20).default(5),
  REMOTE_WRITE_URL: httpUrl.optional(),
  REMOTE_WRITE_USERNAME: z.string().min(1).optional(),
  REMOTE_WRITE_PASSWORD: z.string().min(1).optional(),
  REMOTE_WRITE_LABELS: remoteWriteLabels,

  TRACING_ENABLED: flag.default(false),
  TRACING_EXPORTER: z.enum(['otlp', 'jaeger']).default('otlp'),
  OTLP_ENDPOINT: otlpEndpoint.optional(),
  OTLP_HEADERS: otlpHeaders,
  JAEGER_ENDPOINT: otlpEndpoint.optional(),
  TRACING_SAMPLING_RATE: fraction.default(0.1),
  TRACING_SLOW_MS: milliseconds(1, 60_000).default(1_000),
  TRACE_PROPAGATION_HOSTS: exactHosts,
  TRUSTED_TRACE_TOKEN: secret.optional(),

  PAYMENT_TEST_URL: httpUrl.optional(),
  PAYMENT_TEST_SECRET: z.string().min(16, 'must have at least 16 characters').optional(),
  PAYMENT_TEST_WEBHOOK_SECRET: z.string().min(16, 'must have at least 16 characters').optional(),
  PAYMENT_TIMEOUT_MS: milliseconds(100, 25_000).default(10_000),

  STRIPE_SECRET_KEY: z.string().min(16, 'must have at least 16 characters').optional(),
  STRIPE_WEBHOOK_SECRET: z.string().min(16, 'must have at least 16 characters').optional(),
  /** The shop's page to which a bank sends a buyer back, with Stripe's own parameters behind it. */
  STRIPE_RETURN_URL: httpUrl.max(500).optional(),
  STRIPE_API_BASE: httpUrl.default('https://api.stripe.com'),

  /** An HTTP mail API such as Resend's; without one no mail is sent, and the log says so. */
  MAIL_API_URL: httpUrl.optional(),
  MAIL_API_TOKEN: z.string().min(8, 'must have at least 8 characters').optional(),
  MAIL_FROM: z.string().min(3).max(320).optional(),
  MAIL_TIMEOUT_MS: milliseconds(100, 30_000).default(10_000),
  /** The shop's page that a link in a mail opens; without one the mail shows the token alone. */
  PASSWORD_RESET_URL: linkUrl.optional(),
  EMAIL_VERIFICATION_URL: linkUrl.optional(),
  /** The same for a guest's order; it may also hold {order_id}. */
  ORDER_URL: linkUrl.optional(),

  OIDC_PROVIDERS: oidcProviders,
  /** Pages of the shop that providers may send browsers back to. */
  OIDC_REDIRECT_URIS: redirectUris,
  /** For all that one request asks of a provider. */
  OIDC_TIMEOUT_MS: milliseconds(100, 25_000).default(8_000),

  EVENTS_URL: httpUrl.optional(),
  EVENTS_SECRET: secret.optional(),
});

type Given = Readonly<Record<string, unknown>>;

/** Bindings that do not fit each other, read from what was given: a fault elsewhere must not hide these. */
function conflictsOf(given: Given): string[] {
  const faults: string[] = [];
  const needs = (name: string, companion: string) => {
    if (given[name] !== undefined && given[companion] === undefined) faults.push(`${companion} is needed with ${name}`);
  };
  if (given['JWT_ACCESS_SECRET'] !== undefined && given['JWT_ACCESS_SECRET'] === given['JWT_REFRESH_SECRET']) {
    faults.push('JWT_REFRESH_SECRET must differ from JWT_ACCESS_SECRET');
  }
  if (given['PAYMENT_TEST_URL'] !== undefined && given['ENVIRONMENT'] === 'production') {
    faults.push('PAYMENT_TEST_URL must not be set in production');
  }
  needs('PAYMENT_TEST_URL', 'PAYMENT_TEST_SECRET');
  needs('PAYMENT_TEST_URL', 'PAYMENT_TEST_WEBHOOK_SECRET');
  const stripe = ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET', 'STRIPE_RETURN_URL'];
  for (const companion of stripe) {
    const beside = [...stripe, 'STRIPE_API_BASE'].find((name) => given[name] !== undefined);
    if (beside !== undefined) needs(beside, companion);
  }
  needs('EVENTS_URL', 'EVENTS_SECRET');
  needs('JWT_ACCESS_SECRET_PREVIOUS', 'JWT_ROTATED_AT');
  needs('JWT_REFRESH_SECRET_PREVIOUS', 'JWT_ROTATED_AT');
  if (given['ENVIRONMENT'] === 'production' && hasPlainIssuer(given['OIDC_PROVIDERS'])) {
    faults.push('OIDC_PROVIDERS must have https issuers in production');
  }
  needs('OIDC_PROVIDERS', 'OIDC_REDIRECT_URIS');
  needs('MAIL_API_URL', 'MAIL_API_TOKEN');
  needs('MAIL_API_URL', 'MAIL_FROM');
  if (given['TRACING_ENABLED'] === 'true') {
    const endpoint = given['TRACING_EXPORTER'] === 'jaeger' ? 'JAEGER_ENDPOINT' : 'OTLP_ENDPOINT';
    if (given[endpoint] === undefined) faults.push(`${endpoint} is needed with TRACING_ENABLED`);
  }
  return faults;
}

/** Every binding, typed. Durations: `*_MS` milliseconds, `*_TTL` and `*_WINDOW` seconds. Limits are requests per window. */
export type Config = Readonly<z.output<typeof bindings>>;

/** Names every faulty binding at once and never a value of one. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: string[];

  constructor(faults: string[]) {
    super(`misconfigured: ${faults.join('; ')}`);
    this.faults = faults;
  }
}

/** An empty string counts as unset, as an exported but blank shell variable should. */
export function parseConfig(env: object): Config {
  const given: Given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = bindings.safeParse(given);
  const conflicts = conflictsOf(given);
  if (result.success && conflicts.length === 0) return result.data;
  const faults = (result.error?.issues ?? []).map((issue) => {
    const name = String(issue.path[0]);
    return given[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`;
  });
  throw new ConfigError([...faults, ...conflicts]);
}
