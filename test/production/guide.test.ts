import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { asRole, OWNER_ROLE } from '../../dev/roles.ts';
import { parseConfig } from '../../src/platform/config.ts';
import { schemaOf } from '../migrations/database.ts';
import { installed } from '../observability/programs.ts';
import { call } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

const METRICS_TOKEN = 'token-of-the-guide-0123456789';
const ROOT = join(import.meta.dirname, '../..');
const hasPrograms = installed('bash', 'curl', 'openssl', 'psql');

let stack: Stack;
let ownerUrl: string;
let cwd: string;
beforeAll(async () => {
  if (!hasPrograms) return;
  stack = await startStack({ env: { METRICS_TOKEN, METRICS_FLUSH_SECONDS: '1', SERVICE_VERSION: '1.0.0' } });
  const { superuserUrl, ownerPassword } = inject('shared');
  ownerUrl = asRole(superuserUrl, OWNER_ROLE, ownerPassword, stack.databaseName);
  cwd = mkdtempSync(join(tmpdir(), 'guide-'));
  cpSync(join(ROOT, 'migrations'), join(cwd, 'migrations'), { recursive: true });
});
afterAll(async () => {
  if (!hasPrograms) return;
  rmSync(cwd, { recursive: true });
  await stack.close();
});

/** A line of the guide in a shell, with what is ours in place of its examples; its output. Rejects where it fails. */
async function shell(line: string, ours: Record<string, string> = {}): Promise<string> {
  const script = Object.entries(ours).reduce((text, [theirs, own]) => text.replaceAll(theirs, own), line);
  const env = { ...process.env, DATABASE_URL: ownerUrl, PGOPTIONS: '-c client_min_messages=warning' };
  return (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd, env })).stdout;
}

const host = () => ({ 'https://api.example.com': stack.url });
const withToken = () => ({ ...host(), 'curl ': `curl -H 'Authorization: Bearer ${METRICS_TOKEN}' ` });

describe.skipIf(!hasPrograms)('the guide’s own lines', () => {
  test('openssl rand makes secrets that the configuration takes', async () => {
    const access = (await shell('openssl rand -base64 32  # Access secret')).trim();
    const refresh = (await shell('openssl rand -base64 32  # Refresh secret')).trim();
    expect(Buffer.from(access, 'base64')).toHaveLength(32);
    expect(access).not.toBe(refresh);
    const config = parseConfig({ ...stack.bindings, JWT_ACCESS_SECRET: access, JWT_REFRESH_SECRET: refresh });
    expect([config.JWT_ACCESS_SECRET, config.JWT_REFRESH_SECRET]).toEqual([access, refresh]);
  });

  test.each([
    ['curl https://api.example.com/health', { status: 'ok', version: '1.0.0' }],
    ['curl https://api.example.com/health/live', { status: 'ok' }],
    ['curl https://api.example.com/health/ready', { status: 'ok' }],
  ])('%s', async (line, answer) => {
    expect(JSON.parse(await shell(line, host()))).toMatchObject(answer);
  });

  test.each([
    ['http_errors_total', /^ecommerce_http_errors_total\{.*status="503".*\} [1-9]/m],
    ['http_request_duration_seconds', /^ecommerce_http_request_duration_seconds_bucket\{.*le=".*"\} \d/m],
    ['database_connections', /^ecommerce_database_connections_open [1-9]/m],
  ])('curl https://api.example.com/metrics | grep %s', async (name, series) => {
    const line = `curl https://api.example.com/metrics | grep ${name}`;
    stack.neon.inject(
      ({ requestBody }) => requestBody.includes('markets'),
      { respond: { status: 500, body: '{}' } },
      2,
    );
    expect((await call(stack, 'GET', '/markets')).status).toBe(503);
    stack.neon.clear();
    await stack.worker.scheduled({ cron: '* * * * *' });
    await vi.waitFor(async () => expect(await shell(line, withToken())).toMatch(series), {
      timeout: 20_000,
      interval: 500,
    });
    // The scrape shows how the shop is doing: without the token grep finds nothing.
    await expect(shell(line, host())).rejects.toMatchObject({ code: 1 });
  });

  test('psql rolls the newest migration back, and runs it again', async () => {
    const newest = '20261122120000_index_old_rows';
    const ours = { '20251201_add_feature': newest };
    const before = await schemaOf(ownerUrl);
    await shell('psql $DATABASE_URL < migrations/20251201_add_feature.down.sql', ours);
    expect(before).not.toEqual(await schemaOf(ownerUrl));
    await shell('psql $DATABASE_URL < migrations/20251201_add_feature.sql', ours);
    expect(await schemaOf(ownerUrl)).toEqual(before);
  });

  test('GRANT and REVOKE: what they give beyond the migrations is found, and taken back', async () => {
    const faults = async () => {
      const rows = await shell(`psql $DATABASE_URL -XAt -F ' ' -f ${ROOT}/deploy/backup/verify.sql`);
      return rows.split('\n').filter((line) => line !== '' && !line.endsWith(' 0 '));
    };
    const restrict = () => stack.owner.query('select restrict_app_role()');
    await restrict();
    const before = await schemaOf(ownerUrl);
    expect(await faults()).toEqual([]);
    await shell(`psql -v ON_ERROR_STOP=1 $DATABASE_URL <<'SQL'
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ecommerce_app;
REVOKE CREATE ON SCHEMA public FROM ecommerce_app;
SQL`);
    expect(await faults()).toEqual([expect.stringMatching(/^the role of the Worker may do no more [1-9]/)]);
    await restrict();
    expect(await faults()).toEqual([]);
    expect((await schemaOf(ownerUrl)).length).toBe(before.length);
  });
});
