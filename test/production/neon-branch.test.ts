import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { installed } from '../observability/programs.ts';
import { runScript } from './backup-fixture.ts';
import { startNeonApi, type NeonApi } from './neon-api.ts';

const KEY = 'napi_key_that_nobody_sees';
const ROOT = { id: 'br-main', name: 'production', parent_id: null };
const DAY_MS = 86_400_000;
const hasPrograms = installed('bash', 'curl', 'jq');

let api: NeonApi;
beforeEach(async () => {
  api = await startNeonApi(KEY, 'shop-1', ROOT);
});
afterEach(() => api.close());

const neon = (args: string[], env: Record<string, string> = {}) =>
  runScript('neon-branch.sh', args, {
    NEON_API_URL: api.url,
    NEON_API_KEY: KEY,
    NEON_PROJECT_ID: 'shop-1',
    NEON_BRANCH_ID: ROOT.id,
    ...env,
  });
const nameOf = (daysAgo: number, branch = ROOT.id) =>
  `backup-${branch}-${new Date(Date.now() - daysAgo * DAY_MS).toISOString().replace(/[-:]|\.\d+/g, '')}`;
const old = (daysAgo: number, parent_id = ROOT.id) => ({
  id: `br-${daysAgo}`,
  name: nameOf(daysAgo, parent_id),
  parent_id,
});

describe.skipIf(!hasPrograms)('on Neon', () => {
  test('a backup is a branch of now; those of more than 14 days go, and no other branch does', async () => {
    const staging = { id: 'br-staging', name: 'staging', parent_id: ROOT.id };
    const ofAnother = old(30, 'br-other');
    const young = old(13);
    api.branches.push(old(15), young, staging, ofAnother);
    const { code, stdout, stderr } = await neon(['backup']);
    expect([code, stderr, api.faults]).toEqual([0, '', []]);
    expect(stdout).toMatch(/^backup-br-main-\d{8}T\d{6}Z; 1 older than 14 days removed\n$/);
    const name = stdout.split(';')[0] ?? '';
    expect(api.requests).toEqual([
      `POST /branches {"branch":{"name":"${name}","parent_id":"br-main"}}`,
      'GET /branches',
      'DELETE /branches/br-15',
    ]);
    expect(api.branches.map((branch) => branch.name)).toEqual([
      'production',
      young.name,
      'staging',
      ofAnother.name,
      name,
    ]);
    expect((await neon(['list'])).stdout.split('\n').map((line) => line.split(' ')[0])).toEqual([name, young.name, '']);
  });

  test('nothing is removed when there is no new backup', async () => {
    api.branches.push(old(15));
    api.outcome = 'cancelled';
    const { code, stderr } = await neon(['backup']);
    expect([code, stderr]).toEqual([69, 'neon-branch.sh: operation op-1: cancelled\n']);
    expect(api.requests.filter((request) => request.startsWith('DELETE'))).toEqual([]);
  });

  test('a moment of the past is a branch with a compute of its own', async () => {
    const { code, stdout } = await neon(['at', '2026-11-21T09:15:00Z', 'look']);
    expect([code, api.faults]).toEqual([0, []]);
    expect(stdout).toBe('look br-look ep-look.eu-central-1.aws.neon.tech\n');
    expect(JSON.parse(api.requests[0]?.split(' ').slice(2).join(' ') ?? '')).toEqual({
      branch: { name: 'look', parent_id: 'br-main', parent_timestamp: '2026-11-21T09:15:00Z' },
      endpoints: [{ type: 'read_write' }],
    });
  });

  test('the shop goes back to a moment, and what it was is kept', async () => {
    const { code, stdout } = await neon(['restore', '2026-11-21T10:15:00+01:00']);
    expect([code, api.faults]).toEqual([0, []]);
    const kept = api.branches.at(-1)?.name ?? '';
    expect(kept).toMatch(/^before-restore-\d{8}T\d{6}Z$/);
    expect(stdout).toBe(`restored to 2026-11-21T10:15:00+01:00; what it was is the branch ${kept}\n`);
    expect(api.requests).toHaveLength(1);
  });

  test('backups of before a restore are still found, and go when they are old', async () => {
    api.branches.push(old(15), old(13));
    await neon(['restore', '2026-11-21T10:15:00Z']);
    expect((await neon(['list'])).stdout.trim().split('\n')).toHaveLength(2);
    const { stdout, stderr } = await neon(['backup']);
    expect([stderr, stdout]).toEqual(['', expect.stringContaining('; 1 older than 14 days removed')]);
    expect(api.branches.map(({ id }) => id)).not.toContain('br-15');
  });

  test('while another operation runs it waits, and gives up in the end', async () => {
    api.busy = 2;
    expect((await neon(['backup'])).code).toBe(0);
    api.busy = 99;
    expect((await neon(['restore', '2026-11-21T10:15:00Z'], { NEON_WAIT_SECONDS: '1' })).code).toBe(75);
    api.busy = 0;
    api.outcome = 'running';
    expect(await neon(['at', '2026-11-21T10:15:00Z', 'x'], { NEON_WAIT_SECONDS: '1' })).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('is still running'),
    });
  });

  test.each([
    [['restore', 'yesterday'], {}, 64],
    [['at', '2026-11-21T10:15:00Z'], {}, 64],
    [['at', '2026-11-21T10:15:00Z', 'a b'], {}, 64],
    [['backup', 'now'], {}, 64],
    [[], {}, 64],
    [['backup'], { NEON_API_KEY: '' }, 64],
    [['backup'], { BACKUP_RETENTION_DAYS: '-1' }, 64],
    [['backup'], { NEON_API_KEY: 'wrong' }, 69],
    [['backup'], { NEON_API_URL: 'http://127.0.0.1:1' }, 69],
    [['backup'], { NEON_BRANCH_ID: 'br-gone' }, 69],
  ])('%j with %j ends with %i, says why, and never the key', async (args, env, expected) => {
    const { code, stdout, stderr } = await neon(args, env);
    expect([code, stdout]).toEqual([expected, '']);
    expect(stderr).toMatch(/^(curl: .*\n)?neon-branch\.sh: .+\n$/);
    expect(stderr).not.toContain(KEY);
    expect(api.branches).toEqual([ROOT]);
  });
});
