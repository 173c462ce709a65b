import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { secretFaults } from '../../deploy/cloudflare/secrets.ts';
import { ROOT } from './deploy-fixture.ts';

const SECRET = 'Zm9yIHRoZSB0ZXN0IG9ubHksIG5vdGhpbmcgZWxzZSE=';
const OTHER = 'YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3QsIGZvciBpdA==';
const WRANGLER = `#!/usr/bin/env node
const fs = require('fs');
fs.writeFileSync(__dirname + '/call.json', JSON.stringify({ args: process.argv.slice(2), input: fs.readFileSync(0, 'utf8') }));
`;

function setSecrets(text: string, { mode = 0o600, args = [] as string[] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'edge-commerce-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/wrangler'), WRANGLER, { mode: 0o755 });
  const file = join(folder, 'secrets.env');
  writeFileSync(file, text);
  chmodSync(file, mode);
  const script = join(ROOT, 'deploy/cloudflare/secrets.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, '--env', 'staging', '--file', file, ...args],
    {
      encoding: 'utf8',
      // Values of the file are meant, whatever the shell has set.
      env: { PATH: [join(folder, 'bin'), process.env['PATH']].join(delimiter), JWT_ACCESS_SECRET: 'of-the-shell' },
    },
  );
  const call = (): { args: string[]; input: string } | null => {
    try {
      return JSON.parse(readFileSync(join(folder, 'bin/call.json'), 'utf8')) as { args: string[]; input: string };
    } catch {
      return null;
    }
  };
  return { status, output: stdout + stderr, call: call() };
}

test('wrangler gets the values through a pipe, and nobody else sees them', () => {
  const { status, output, call } = setSecrets(`JWT_ACCESS_SECRET=${SECRET}\nJWT_REFRESH_SECRET="${OTHER}"\n`);
  expect(status, output).toBe(0);
  expect(call?.args).toEqual(['secret', 'bulk', '--env', 'staging']);
  expect(JSON.parse(call?.input ?? '')).toEqual({ JWT_ACCESS_SECRET: SECRET, JWT_REFRESH_SECRET: OTHER });
  expect(output).toMatch(/^JWT_ACCESS_SECRET +set$/m);
  expect(output).not.toContain(SECRET);
  expect(output).not.toContain(OTHER);
});

test('--dry-run sets nothing', () => {
  const { status, output, call } = setSecrets(`METRICS_TOKEN=${SECRET}\n`, { args: ['--dry-run'] });
  expect([status, call]).toEqual([0, null]);
  expect(output).toMatch(/^METRICS_TOKEN +would be set$/m);
});

test.each([
  ['a typing error', { JWT_ACESS_SECRET: SECRET }, 'JWT_ACESS_SECRET is no binding'],
  ['a variable of the host', { MIGRATION_DATABASE_URL: `postgres://o:${SECRET}@db/shop` }, 'is no binding'],
  ['a weak secret', { JWT_ACCESS_SECRET: 'short' }, 'at least 32 characters'],
  ['a placeholder', { JWT_ACCESS_SECRET: 'generate-strong-random-secret-32-chars-min' }, 'placeholder'],
  ['an empty value', { METRICS_TOKEN: '' }, 'METRICS_TOKEN is empty'],
  ['an empty file', {}, 'names no secret'],
])('%s is a fault, and no value is part of it', (_name, secrets, message) => {
  const faults = secretFaults(secrets).join('\n');
  expect(faults).toContain(message);
  expect(faults).not.toContain(SECRET);
});

test('with one fault nothing is set', () => {
  const { status, output, call } = setSecrets(`METRICS_TOKEN=${SECRET}\nJWT_ACESS_SECRET=${OTHER}\n`);
  expect([status, call]).toEqual([1, null]);
  expect(output).toBe('Nothing was set:\nJWT_ACESS_SECRET is no binding of the Worker\n');
});

test('a file that others can read is refused', () => {
  const { status, output, call } = setSecrets(`METRICS_TOKEN=${SECRET}\n`, { mode: 0o644 });
  expect([status, call]).toEqual([1, null]);
  expect(output).toContain('chmod 600');
});
