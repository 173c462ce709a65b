import * as z from 'zod';
import { oidcProviders, redirectUris } from '../auth/oidc-bindings.ts';
import { remoteWriteLabels } from '../telemetry/remote-write/labels.ts';
import { exactHosts, otlpEndpoint, otlpHeaders } from '../telemetry/trace/bindings.ts';
import { hostConflictsOf } from './conflicts.ts';
import { givenIn, parseVariables } from './faults.ts';
import * as kind from './kinds.ts';

// The comment above a variable is its line in README's table, which `npm run variables` writes; the bundle carries none.

/** Told to the Worker and to the processes beside it. */
const shared = {
  /** Batches that an isolate has at the database at once, and open connections of the self-hosted endpoint. */
  DATABASE_MAX_OPEN_CONNS: kind.count(1, 1_000).default(50),
  /** Connections the self-hosted endpoint keeps open without work; the Worker speaks HTTP and holds none. */
  DATABASE_MAX_IDLE_CONNS: kind.count(0, 1_000).default(25),
  /** Age at which the self-hosted endpoint replaces a connection; nothing to the Worker. */
  DATABASE_CONN_MAX_LIFETIME: kind.seconds(1, 604_800).default(3_600),
  /** From tick to tick when self-hosted; on Cloudflare the cron in `wrangler.toml` says it. */
  TICK_INTERVAL: kind.seconds(1, 3_600).default(60),
};

/** Every binding of the Worker. */
export const bindings = z.object({
  /** Production refuses test payments, plain database connections and staff without a second factor. */
  ENVIRONMENT: z.enum(['development', 'test', 'staging', 'production']),
  /** Names the service in logs, traces and `/health`. */
  SERVICE_NAME: kind.text(1, 64).default('ecommerce-api'),
  /** Shown by `/health`, traces and `ecommerce_build_info`. */
  SERVICE_VERSION: kind.text(1, 64).default('0.0.0'),
  /** When the bundle was built; shown by `/health`. */
  BUILD_TIME: kind.instant.optional(),

  /** The restricted role; production wants `sslmode=require`, `verify-ca` or `verify-full`. */
  DATABASE_URL: kind.postgresUrl,
  /** Where SQL over HTTP is answered, if not at Neon; production takes `http:` within a private network alone. */
  DATABASE_ENDPOINT: kind.httpUrl.optional(),
  /** For one exchange with the database, waiting in line included. */
  DATABASE_TIMEOUT_MS: kind.milliseconds(100, 60_000).default(10_000),
  ...shared,

  /** Redis over REST: Upstash, or the self-hosted endpoint; `http:` as above. */
  UPSTASH_REDIS_REST_URL: kind.httpUrl,
  /** What that address asks for. */
  UPSTASH_REDIS_REST_TOKEN: kind.password(),
  /** For one exchange with Redis; limits and the cache do without it when it is late. */
  REDIS_TIMEOUT_MS: kind.milliseconds(10, 10_000).default(500),
  /** How long a catalog reply may be served that nobody announced a change of; 0 caches nothing. */
  CACHE_TTL: kind.seconds(0, 86_400).default(60),

  /** Signs access tokens: `openssl rand -base64 32`. */
  JWT_ACCESS_SECRET: kind.secret,
  /** Signs refresh tokens; another one than that of access tokens. */
  JWT_REFRESH_SECRET: kind.secret,
  /** The one before, while it still counts. */
  JWT_ACCESS_SECRET_PREVIOUS: kind.secret.optional(),
  /** The one before, while it still counts. */
  JWT_REFRESH_SECRET_PREVIOUS: kind.secret.optional(),
  /** When the secrets were changed; tokens of the previous ones are good for one life of a token from then on. */
  JWT_ROTATED_AT: kind.instant.optional(),
  /** Life of an access token. */
  JWT_ACCESS_TTL: kind.seconds(60, 86_400).default(900),
  /** Life of a refresh token. */
  JWT_REFRESH_TTL: kind.seconds(3_600, 31_536_000).default(604_800),
  /** Makes the token by which guests read their order. */
  ORDER_TOKEN_SECRET: kind.secret,

  /** `false` lets everyone ask as often as they like. */
  RATE_LIMIT_ENABLED: kind.flag.default(true),
  /** Per window and address. */
  RATE_LIMIT_PUBLIC: kind.requests.default(100),
  /** Per window and account or API key. */
  RATE_LIMIT_AUTHENTICATED: kind.requests.default(500),
  /** Logins per window and address. */
  RATE_LIMIT_LOGIN: kind.requests.default(10),
  /** Registrations per window and address. */
  RATE_LIMIT_REGISTER: kind.requests.default(10),
  /** Password resets per window and address. */
  RATE_LIMIT_RESET: kind.requests.default(5),
  /** Orders per window and address or account. */
  RATE_LIMIT_ORDER: kind.requests.default(20),
  /** The window of all limits. */
  RATE_LIMIT_WINDOW: kind.seconds(1, 3_600).default(60),
  /** The header whose address is believed; whatever is in front of the Worker has to set it. */
  TRUSTED_IP_HEADER: z.enum(['cf-connecting-ip', 'x-real-ip']).default('cf-connecting-ip'),
  /** Origins whose pages may read replies. */
  ALLOWED_ORIGINS: kind.origins,
  /** Origins whose browsers may send cookies along; nobody's by default. */
  CREDENTIAL_ORIGINS: kind.origins,

  /** The least that is logged. */
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  /** Lines for machines or for people. */
  LOG_FORMAT: z.enum(['json', 'console']).default('json'),
  /** Share of the successful requests that get a line; whatever failed gets one. */
  LOG_SAMPLE: kind.fraction.default(1),

  /** Bearer token of `/metrics`; without one nobody reads it. */
  METRICS_TOKEN: kind.password().optional(),
  /** How long an isolate gathers counts before it sends them; what it loses when it dies. */
  METRICS_FLUSH_SECONDS: kind.seconds(1, 20).default(5),
  /** A Prometheus remote-write receiver that is written to every minute. */
  REMOTE_WRITE_URL: kind.httpUrl.optional(),
  /** Basic authentication of that receiver. */
  REMOTE_WRITE_USERNAME: kind.text(1, 500).optional(),
  /** Basic authentication of that receiver. */
  REMOTE_WRITE_PASSWORD: kind.token(1).optional(),
  /** What prometheus.yml calls external labels. */
  REMOTE_WRITE_LABELS: remoteWriteLabels.meta({ form: 'name=value, by commas' }),

  /** Sends spans to the exporter's address. */
  TRACING_ENABLED: kind.flag.default(false),
  /** Which of the two addresses below; both are spoken to in OTLP over HTTP. */
  TRACING_EXPORTER: z.enum(['otlp', 'jaeger']).default('otlp'),
  /** `http://collector:4318`; the gRPC port 4317 is refused. */
  OTLP_ENDPOINT: otlpEndpoint.meta({ form: 'OTLP/HTTP URL' }).optional(),
  /** Sent along with spans, such as a key of the collector. */
  OTLP_HEADERS: otlpHeaders.meta({ form: 'name=value, by commas', isSecret: true }),
  /** `http://jaeger:4318`; the Thrift port 14268 is refused. */
  JAEGER_ENDPOINT: otlpEndpoint.meta({ form: 'OTLP/HTTP URL' }).optional(),
  /** Share of the requests that are traced. */
  TRACING_SAMPLING_RATE: kind.fraction.default(0.1),
  /** From here on a request leaves a span, sampled or not. */
  TRACING_SLOW_MS: kind.milliseconds(1, 60_000).default(1_000),
  /** Peers that are told the trace. */
  TRACE_PROPAGATION_HOSTS: exactHosts.meta({ form: 'hosts, by commas' }),
  /** Callers who send it as `x-trace-token` decide whether they are traced. */
  TRUSTED_TRACE_TOKEN: kind.secret.optional(),

  /** The test provider, which charges nobody; refused in production. */
  PAYMENT_TEST_URL: kind.httpUrl.optional(),
  /** Key of the test provider. */
  PAYMENT_TEST_SECRET: kind.token(16).optional(),
  /** Signs what the test provider tells. */
  PAYMENT_TEST_WEBHOOK_SECRET: kind.token(16).optional(),
  /** For one call of a payment provider. */
  PAYMENT_TIMEOUT_MS: kind.milliseconds(100, 25_000).default(10_000),

  /** Stripe's API key; comes with the two below. */
  STRIPE_SECRET_KEY: kind.token(16).optional(),
  /** Signs what Stripe tells. */
  STRIPE_WEBHOOK_SECRET: kind.token(16).optional(),
  /** The shop's page to which a bank sends a buyer back, with Stripe's own parameters behind it. */
  STRIPE_RETURN_URL: kind.httpUrl.max(500).meta({ form: 'http(s) URL' }).optional(),
  /** Where Stripe answers. */
  STRIPE_API_BASE: kind.httpUrl.default('https://api.stripe.com'),

  /** An HTTP mail API such as Resend's; without one no mail is sent, and the log says so. */
  MAIL_API_URL: kind.httpUrl.optional(),
  /** Bearer token of the mail API. */
  MAIL_API_TOKEN: kind.token(8).optional(),
  /** Sender of all mails. */
  MAIL_FROM: kind.text(3, 320).optional(),
  /** For one call of the mail API. */
  MAIL_TIMEOUT_MS: kind.milliseconds(100, 30_000).default(10_000),
  /** The shop's page that a reset mail opens; without one the mail shows the token alone. */
  PASSWORD_RESET_URL: kind.linkUrl.optional(),
  /** The same for the confirmation of an e-mail address. */
  EMAIL_VERIFICATION_URL: kind.linkUrl.optional(),
  /** The same for a guest's order; it may also hold `{order_id}`. */
  ORDER_URL: kind.linkUrl.optional(),

  /** OpenID providers: `{"name": {"issuer", "client_id", "client_secret", "scopes"}}`. */
  OIDC_PROVIDERS: oidcProviders.meta({ form: 'JSON', isSecret: true }),
  /** Pages of the shop that providers may send browsers back to. */
  OIDC_REDIRECT_URIS: redirectUris.meta({ form: 'URLs, by commas' }),
  /** For all that one request asks of an OpenID provider. */
  OIDC_TIMEOUT_MS: kind.milliseconds(100, 25_000).default(8_000),

  /** Subscriber that events are delivered to. */
  EVENTS_URL: kind.httpUrl.optional(),
  /** Signs what the subscriber is told. */
  EVENTS_SECRET: kind.secret.optional(),
});

/** What processes and scripts beside the Worker read; a function, so that no bundle of the Worker holds it. */
export const hostVariables = () =>
  z.object({
    /** Where a self-hosted process listens; 0: any free port. `npm run dev` has 8787. */
    PORT: kind.count(0, 65_535).default(8_080),
    /** `stdout`, `stderr`, or a file, which SIGUSR1 opens anew. */
    LOG_OUTPUT: kind.text(1, 4_096).default('stdout').meta({ form: 'stdout, stderr or a path' }),
    /** Serves HTTPS itself, TLS 1.3 only. */
    TLS_ENABLED: kind.flag.default(false),
    /** Certificate chain, PEM. */
    TLS_CERT_FILE: kind.path().optional(),
    /** Its key, PEM. */
    TLS_KEY_FILE: kind.path().optional(),
    /** How long requests in flight may take to end after SIGTERM. */
    DRAIN_SECONDS: kind.seconds(0, 300).default(25),
    /** Proxies whose `X-Real-IP` is believed; everyone else is who their socket says. */
    TRUSTED_PROXIES: kind.networks(),
    /** The Worker's bundle, as `wrangler deploy --dry-run --outdir` leaves it. */
    BUNDLE_DIR: kind.path().optional(),
    /** Durable Objects of a self-hosted Worker are kept here. */
    STATE_DIR: kind.path().default('/var/lib/ecommerce-api'),
    ...shared,

    /** Redis behind the self-hosted endpoint: `host:port`, `redis://` or `rediss://`. */
    REDIS_URL: kind.redisUrl().optional(),
    /** Its password. */
    REDIS_PASSWORD: kind.password().optional(),
    /** Its database. */
    REDIS_DB: kind.count(0, 1_023).default(0),
    /** How often the endpoint sends a command again when Redis is gone. */
    REDIS_MAX_RETRIES: kind.count(0, 20).default(3),

    /** The owner of the schema, on the unpooled address: what `npm run migrate` uses. */
    MIGRATION_DATABASE_URL: kind.postgresUrl.optional(),
    /** Where dumps are kept. */
    BACKUP_DIR: kind.path().default('/var/backups/ecommerce'),
    /** Dumps that are older are removed. */
    BACKUP_RETENTION_DAYS: kind.days(1, 3_650).default(14),
    /** A file of settings for the backup scripts, as cron has none. */
    BACKUP_ENV: kind.path().default('/etc/ecommerce/backup.env'),
    /** Makes and restores branches in place of dumps. */
    NEON_API_KEY: kind.token(1).optional(),
    /** The project of the shop's database. */
    NEON_PROJECT_ID: kind.text(1, 100).optional(),
    /** Its branch of the shop. */
    NEON_BRANCH_ID: kind.text(1, 100).optional(),
    /** Where Neon's API answers. */
    NEON_API_URL: kind.httpUrl.default('https://console.neon.tech/api/v2'),
    /** How long the script waits for Neon to finish. */
    NEON_WAIT_SECONDS: kind.seconds(1, 3_600).default(300),

    /** Deploys, and lets `npm run doctor` ask for the names of the secrets. */
    CLOUDFLARE_API_TOKEN: kind.token(1).optional(),
    /** The account that is deployed to. */
    CLOUDFLARE_ACCOUNT_ID: kind.text(1, 100).optional(),
    /** Where the deployment answers, for its smoke test. */
    DEPLOY_URL: kind.httpUrl.optional(),
    /** Lets `npm run doctor -- --grafana` look for the dashboards. */
    GRAFANA_TOKEN: kind.token(1).optional(),
    /** Where the tail Worker of `observability/loki-tail` pushes log lines. */
    LOKI_URL: kind.httpUrl.optional(),
    /** Basic authentication of Loki. */
    LOKI_USERNAME: kind.text(1, 500).optional(),
    /** Basic authentication of Loki. */
    LOKI_PASSWORD: kind.token(1).optional(),
  });

/** What a process beside the Worker is told, typed. `TICK_INTERVAL`, `*_SECONDS` and `*_LIFETIME` are seconds. */
export type Host = Readonly<z.output<ReturnType<typeof hostVariables>>>;

/** Reads the host's variables alone; throws ConfigError naming every faulty one. Blank counts as unset. */
export function parseHost(env: object): Host {
  const given = givenIn(env);
  return parseVariables(hostVariables(), given, hostConflictsOf(given));
}
