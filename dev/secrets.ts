import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const NAMES = [
  'JWT_ACCESS_SECRET',
  'JWT_REFRESH_SECRET',
  'ORDER_TOKEN_SECRET',
  'PAYMENT_TEST_SECRET',
  'PAYMENT_TEST_WEBHOOK_SECRET',
  'MAIL_API_TOKEN',
  'UPSTASH_REDIS_REST_TOKEN',
  'POSTGRES_OWNER_PASSWORD',
  'POSTGRES_APP_PASSWORD',
] as const;

export type DevSecrets = Record<(typeof NAMES)[number], string>;

/** The secrets of the local stack: made once, kept readable by their user alone, so that a restart logs nobody out. */
export function devSecrets(file: string): DevSecrets {
  const kept: Partial<DevSecrets> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const secrets = { ...kept };
  for (const name of NAMES) secrets[name] ??= randomBytes(32).toString('hex');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the loop above has set every name
  return secrets as DevSecrets;
}
