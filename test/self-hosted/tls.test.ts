import { execFileSync, spawnSync } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installed, until } from '../observability/programs.ts';
import { bareBindings, spawnReplica, startReplica, type Replica } from './replica.ts';

const hasOpenssl = installed('openssl');
let folder: string;
let replica: Replica;
const cert = () => join(folder, 'cert.pem');
const key = () => join(folder, 'key.pem');

/** A self-signed certificate of `name`. */
function makeCertificate(name: string, certFile: string, keyFile: string): void {
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...args, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
}

/** What `openssl s_client` says of the replica, sent one request. */
function client(...args: string[]): string {
  const address = ['s_client', '-connect', `127.0.0.1:${replica.port}`, ...args];
  const input = 'GET /health/live HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n';
  const { stdout, stderr } = spawnSync('openssl', [...address, '-ign_eof'], {
    input,
    encoding: 'utf8',
    timeout: 20_000,
  });
  return stdout + stderr;
}

beforeAll(async () => {
  if (!hasOpenssl) return;
  folder = await mkdtemp(join(tmpdir(), 'tls-'));
  makeCertificate('first.example.test', cert(), key());
  const tls = { TLS_ENABLED: 'true', TLS_CERT_FILE: cert(), TLS_KEY_FILE: key() };
  replica = await startReplica({ env: { ...bareBindings(), ...tls } });
});
afterAll(async () => {
  await replica?.close();
  if (hasOpenssl) await rm(folder, { recursive: true });
});

describe.skipIf(!hasOpenssl)('a replica that serves HTTPS itself', () => {
  test('speaks TLS 1.3 and nothing older, as openssl sees it', () => {
    expect(client('-tls1_3')).toMatch(/TLSv1\.3[^]*HTTP\/1\.1 200 OK[^]*\{"status":"ok"\}/);
    for (const version of ['-tls1_2', '-tls1_1', '-tls1']) {
      const said = client(version, '-cipher', 'DEFAULT@SECLEVEL=0');
      expect(said, version).toMatch(/alert protocol version|no protocols available|unsupported protocol/);
      expect(said, version).not.toContain('HTTP/1.1');
    }
  });

  test('answers plain HTTP with nothing of the shop', async () => {
    await expect(fetch(`http://127.0.0.1:${replica.port}/health/live`)).rejects.toThrow('fetch failed');
  });

  test('takes a renewed certificate on SIGHUP, and keeps the old one when the new one is broken', async () => {
    makeCertificate('second.example.test', cert(), key());
    replica.child.kill('SIGHUP');
    await until('the second certificate', 10_000, () => (client().includes('second.example.test') ? true : undefined));
    await writeFile(cert(), 'no certificate');
    replica.child.kill('SIGHUP');
    await until('the complaint', 10_000, () => replica.logs().find(({ msg }) => msg === 'certificate kept'));
    expect(client()).toContain('second.example.test');
  });
});

describe.skipIf(!hasOpenssl)('a certificate that is not good', () => {
  const start = (files: Record<string, string>) =>
    spawnReplica({ env: { ...bareBindings(), TLS_ENABLED: 'true', ...files }, stateDir: join(folder, 'state') });

  test('is one line and exit code 1: a file that is not there, a key of another, no file at all', async () => {
    const [other, otherKey] = [join(folder, 'other.pem'), join(folder, 'other-key.pem')];
    makeCertificate('other.example.test', other, otherKey);
    const missing = start({ TLS_CERT_FILE: join(folder, 'absent.pem'), TLS_KEY_FILE: otherKey });
    expect(await missing.ended).toBe(1);
    expect(missing.lines()).toHaveLength(1);
    expect(missing.lines()[0]).toMatch(/TLS_CERT_FILE .*absent\.pem/);
    await copyFile(key(), otherKey);
    const foreign = start({ TLS_CERT_FILE: other, TLS_KEY_FILE: otherKey });
    expect(await foreign.ended).toBe(1);
    expect(foreign.lines()).toHaveLength(1);
    expect(foreign.lines()[0]).toMatch(/TLS_KEY_FILE/);
    const none = start({});
    expect(await none.ended).toBe(1);
    expect(none.lines()[0]).toMatch(/TLS_CERT_FILE.*TLS_KEY_FILE/);
  });
});
