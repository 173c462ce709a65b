import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { ConfigError } from '../../src/platform/config.ts';

/**
 * The `sslmode` and `sslrootcert` of a database's URL as libpq reads them: `disable` is in the clear, `require` encrypts,
 * `verify-ca` also wants a certificate that `sslrootcert` (or the system) vouches for, `verify-full` one for that very host.
 * Throws ConfigError on modes that would fall back to the clear.
 */
export function postgresTls(url: URL): ConnectionOptions | undefined {
  const mode = url.searchParams.get('sslmode') ?? 'disable';
  const root = url.searchParams.get('sslrootcert');
  const ca = root === null || root === 'system' ? {} : { ca: readFileSync(root, 'utf8') };
  switch (mode) {
    case 'disable':
      return undefined;
    case 'require':
      return { rejectUnauthorized: false };
    case 'verify-ca':
      return { ...ca, checkServerIdentity: () => undefined };
    case 'verify-full':
      return { ...ca, servername: url.hostname };
    default:
      throw new ConfigError(['DATABASE_URL must have sslmode disable, require, verify-ca or verify-full']);
  }
}
