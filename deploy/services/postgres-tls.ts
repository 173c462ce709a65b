import { readFileSync } from 'node:fs';
import { checkServerIdentity } from 'node:tls';
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
      // Named here: for an address the client leaves it open, and Node would look for `localhost`.
      return { ...ca, checkServerIdentity: (_name, certificate) => checkServerIdentity(url.hostname, certificate) };
    default:
      throw new ConfigError(['DATABASE_URL must have sslmode disable, require, verify-ca or verify-full']);
  }
}
