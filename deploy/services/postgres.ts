import type { Target } from '../../dev/neon/request.ts';
import { startNeonEndpoint } from '../../dev/neon/server.ts';
import { ConfigError } from '../../src/platform/config.ts';
import { postgresTls } from './postgres-tls.ts';
import { required, runService } from './service.ts';

/** Go's ConnMaxIdleTime in the guide: ten minutes. */
const IDLE_TIMEOUT_MS = 600_000;

/** One database for one login, so that there is one pool, and its figures are those of the variables. */
function onlyAs(url: URL): (target: Target) => boolean {
  const own = JSON.stringify([url.username, url.password, url.pathname.slice(1)].map(decodeURIComponent));
  return ({ user, password, database }) => JSON.stringify([user, password, database]) === own;
}

// Neon's SQL over HTTP in front of a Postgres of one's own. DATABASE_URL says where that is, how it is reached (sslmode) and
// as whom; the Worker's DATABASE_ENDPOINT is http://HOST:PORT/sql, and its DATABASE_URL has the same login and database.
await runService('postgres-endpoint', async (host, log) => {
  const given = required(process.env['DATABASE_URL'], 'DATABASE_URL');
  if (!URL.canParse(given)) throw new ConfigError(['DATABASE_URL must be a postgres:// URL']);
  const url = new URL(given);
  return startNeonEndpoint({
    port: host.PORT,
    listenOn: 'every address',
    upstream: { host: url.hostname.replaceAll(/[[\]]/g, ''), port: Number(url.port || 5432) },
    admits: onlyAs(url),
    tls: postgresTls(url),
    maxConnections: host.DATABASE_MAX_OPEN_CONNS,
    maxIdle: host.DATABASE_MAX_IDLE_CONNS,
    maxLifetimeS: host.DATABASE_CONN_MAX_LIFETIME,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    log: (line) => log('warn', line),
  });
});
