import { ConfigError, parseConfig } from '../../config.ts';
import { systemClock } from '../../clock.ts';
import { createLogger } from '../log.ts';
import type { Family } from '../metrics/family.ts';
import type { RowStorage } from '../row-storage.ts';
import { RemoteWriter } from './writer.ts';

/** The writer that the bindings ask for; null without REMOTE_WRITE_URL, or when the bindings are faulty. */
export function createRemoteWriter(
  env: object,
  sql: RowStorage,
  families: () => Promise<Family[]>,
): RemoteWriter | null {
  const config = configOf(env);
  if (config?.REMOTE_WRITE_URL === undefined) return null;
  const { SERVICE_NAME, SERVICE_VERSION, ENVIRONMENT } = config;
  const log = createLogger(config, systemClock.now);
  return new RemoteWriter({
    sql,
    target: {
      url: config.REMOTE_WRITE_URL,
      username: config.REMOTE_WRITE_USERNAME,
      password: config.REMOTE_WRITE_PASSWORD,
      userAgent: `${SERVICE_NAME}/${SERVICE_VERSION}`,
      externalLabels: { job: SERVICE_NAME, environment: ENVIRONMENT, ...config.REMOTE_WRITE_LABELS },
    },
    families,
    nowMs: () => systemClock.now().getTime(),
    fetch: (url, init) => fetch(url, init),
    report: (level, message, facts) => log.log(level, message, facts),
  });
}

/** The Worker answers for faulty bindings itself; the object goes on counting. */
function configOf(env: object): ReturnType<typeof parseConfig> | null {
  try {
    return parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}
