import { serveRedis } from '../../dev/upstash/endpoint.ts';
import { awaitRedis } from '../../dev/upstash/redis.ts';
import { ConfigError } from '../../src/platform/config.ts';
import { required, runService } from './service.ts';

/** The guide's ReadTimeout and WriteTimeout are three seconds each; a command gets three for both, which nothing exceeds. */
const COMMAND_TIMEOUT_MS = 3_000;
const TOKEN_LENGTH_MIN = 16;

/** Whoever has it has everything in Redis. */
function longEnough(token: string): string {
  if (token.length >= TOKEN_LENGTH_MIN) return token;
  throw new ConfigError([`UPSTASH_REDIS_REST_TOKEN must have at least ${TOKEN_LENGTH_MIN} characters`]);
}

// Upstash's Redis over REST in front of a Redis of one's own. In place of the guide's pool of 50 there is one connection on
// which commands are pipelined: Redis runs one command at a time anyhow, and a second connection would only queue elsewhere.
await runService('redis-endpoint', async (host, log) => {
  const token = longEnough(required(process.env['UPSTASH_REDIS_REST_TOKEN'], 'UPSTASH_REDIS_REST_TOKEN'));
  const warn = (line: string): void => log('warn', line);
  const backend = awaitRedis(required(host.REDIS_URL, 'REDIS_URL'), warn, {
    ...(host.REDIS_PASSWORD !== undefined && { password: host.REDIS_PASSWORD }),
    db: host.REDIS_DB,
    maxRetries: host.REDIS_MAX_RETRIES,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
  });
  return serveRedis(backend, { port: host.PORT, listenOn: 'every address', token, log: warn });
});
