import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { fail, pass, skipped, type Verdict } from './check.ts';
import type { Deployment } from './deployment.ts';

const DAY_MS = 86_400_000;
const DAYS_MIN = 14;
const TIMEOUT_MS = 10_000;
/** Without it OpenSSL would not even offer the old versions. */
const OLD_CIPHERS = 'DEFAULT@SECLEVEL=0';

/** Resolves when the handshake is done, whoever signed the certificate. */
function handshake({ hostname, port }: URL, options: ConnectionOptions): Promise<TLSSocket> {
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      ...(/^[\d.:]+$/.test(host) ? {} : { servername: host }),
      rejectUnauthorized: false,
      ...options,
    });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no handshake in time')));
    socket.once('error', reject);
    socket.once('secureConnect', () => resolve(socket));
  });
}

async function speaksOldVersions(url: URL): Promise<boolean> {
  try {
    const socket = await handshake(url, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: OLD_CIPHERS });
    socket.destroy();
    return true;
  } catch {
    return false;
  }
}

/** Version, certificate and the refusal of what is older. */
export async function examineTls(address: string, { environment, now }: Deployment): Promise<Verdict> {
  const url = new URL(address);
  if (url.protocol !== 'https:') {
    if (environment === 'dev') return skipped('http, as on a laptop');
    return fail('http: everything travels readable', 'serve https: TLS_ENABLED=true, deploy/nginx.conf or Cloudflare');
  }
  const socket = await handshake(url, {});
  const [version, authorized] = [socket.getProtocol() ?? 'unknown', socket.authorized];
  const reason = String(socket.authorizationError);
  const { valid_to: validTo } = socket.getPeerCertificate();
  socket.destroy();
  if (!authorized) return fail(`${version}, but the certificate is not trusted: ${reason}`, 'get one for this name');
  const days = Math.floor((Date.parse(validTo) - now().getTime()) / DAY_MS);
  if (days < DAYS_MIN) return fail(`the certificate is good for ${days} days`, 'renew it');
  if (await speaksOldVersions(url)) return fail('TLS 1.0 or 1.1 is spoken', 'ssl_protocols TLSv1.2 TLSv1.3');
  return pass(`${version}, ${days} days are left of the certificate`);
}
