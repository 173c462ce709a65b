// The tests of an older release on the schema as it will be. The older release is this commit, so that nothing has to be
// built that is not here.
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folderOf } from '../migrations/database.ts';
import { ROOT } from './deploy-fixture.ts';

const isRepository = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT }).status === 0;
if (!isRepository && process.env['REQUIRE_PROGRAMS'] === '1') throw new Error('No git repository');
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('edge-commerce-previous-'));

/** Runs it with the migrations of today and one more. */
function testPrevious(tests: string[], next: string) {
  const migrations = folderOf({});
  cpSync(join(ROOT, 'migrations'), migrations, { recursive: true });
  const name = join(migrations, '20990101000000_change_carts');
  writeFileSync(`${name}.sql`, next);
  writeFileSync(`${name}.down.sql`, 'select 1;\n');
  const script = join(ROOT, 'deploy/cloudflare/test-previous.ts');
  const args = [script, 'HEAD', ...tests, '--migrations', migrations];
  const options = { cwd: ROOT, env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1' } };
  return new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile(process.execPath, args, options, (error, stdout) => resolve({ code: error?.code ?? 0, output: stdout }));
  });
}

test.skipIf(!isRepository)(
  'they fail where the older Worker does not live with it, and pass where it does',
  async () => {
    const before = leftovers();
    const next = 'alter table carts add column hue text not null;\n';
    const { code, output } = await testPrevious(['health/misconfigured.test.ts', 'cart/totals.test.ts'], next);
    expect(output).toMatch(/✓ .*test\/health\/misconfigured\.test\.ts/);
    expect(output).toMatch(/❯ .*test\/cart\/totals\.test\.ts \(.* failed\)/);
    expect(code).toBe(1);
    expect(leftovers()).toEqual(before);
  },
);

test('a release that is not known here is named', () => {
  const script = join(ROOT, 'deploy/cloudflare/test-previous.ts');
  const { status, stderr } = spawnSync(process.execPath, [script, 'release/nowhere'], { cwd: ROOT, encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('git fetch --tags');
});
