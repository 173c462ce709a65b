import type { Family } from './platform/telemetry/metrics/family.ts';
import { ConfigError, parseConfig } from './platform/config.ts';
import { createLogger } from './platform/telemetry/log.ts';
import { RemoteWriter } from './platform/telemetry/remote-write/writer.ts';
import { systemClock } from './platform/clock.ts';

interface Parts {
  sql: SqlStorage;
  families: () => Promise<Family[]>;
}

/** Null without REMOTE_WRITE_URL, and in a misconfigured Worker, which says so on every request. */
export function createRemoteWriter(env: object, { sql, families }: Parts): RemoteWriter | null {
  try {
    const config = parseConfig(env);
    if (config.REMOTE_WRITE_URL === undefined) return null;
    const log = createLogger(config, () => systemClock.now());
    return new RemoteWriter({
      sql,
      families,
      nowMs: () => systemClock.now().getTime(),
      fetch: (url, init) => fetch(url, init),
      target: {
        url: config.REMOTE_WRITE_URL,
        username: config.REMOTE_WRITE_USERNAME,
        password: config.REMOTE_WRITE_PASSWORD,
        userAgent: `${config.SERVICE_NAME}/${config.SERVICE_VERSION}`,
        externalLabels: { job: config.SERVICE_NAME, environment: config.ENVIRONMENT },
      },
      report: (level, message, facts) => log.log(level, message, { facts: JSON.stringify(facts) }),
    });
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}
