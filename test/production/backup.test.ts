import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asRole, createDatabase, OWNER_ROLE } from '../../dev/roles.ts';
import { parseHost } from '../../src/platform/config/variables.ts';
import { canDump, startDumpablePostgres, type DumpablePostgres } from '../support/dumpable-postgres.ts';
import { query } from '../migrations/database.ts';
import { BACKUP, runScript } from './backup-fixture.ts';

const possible = canDump();
const DATABASE = 'ecommerce';
const DAY_MS = 86_400_000;

let postgres: DumpablePostgres;
let ownerUrl: string;
let folder: string;
let dir: string;
beforeAll(async () => {
  if (!possible) return;
  postgres = await startDumpablePostgres();
  const { superuserUrl, template, ownerPassword } = postgres.shared;
  await createDatabase(superuserUrl, DATABASE, template);
  ownerUrl = asRole(superuserUrl, OWNER_ROLE, ownerPassword, DATABASE);
  folder = mkdtempSync(join(tmpdir(), 'backup-'));
});
afterAll(() => {
  if (!possible) return;
  postgres.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  if (possible) dir = mkdtempSync(join(folder, 'backups-'));
});

const backup = (env: Record<string, string> = {}) =>
  runScript('backup-db.sh', [], { MIGRATION_DATABASE_URL: ownerUrl, BACKUP_DIR: dir, ...env });
const restore = (file: string, name: string, env: Record<string, string> = {}) =>
  runScript('restore-db.sh', [join(dir, file), name], { MIGRATION_DATABASE_URL: ownerUrl, ...env });
const files = (ending = '') => readdirSync(dir).filter((name) => name.startsWith('backup-') && name.endsWith(ending));
const stampOf = (daysAgo: number) => new Date(Date.now() - daysAgo * DAY_MS).toISOString().replace(/[-:]|\.\d+/g, '');
const products = async (url: string) => (await query(url, 'select count(*)::int as n from products'))[0]?.['n'];
const other = (name: string) => {
  const url = new URL(ownerUrl);
  url.pathname = `/${name}`;
  return url.href;
};

/** A program before the real one on PATH. */
function wrap(program: string, script: string): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  const real = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
  writeFileSync(join(bin, program), `#!/bin/sh\n${script.replaceAll('REAL', real)}\n`);
  chmodSync(join(bin, program), 0o755);
  return `${bin}:${process.env['PATH']}`;
}

describe.skipIf(!possible)('a backup', () => {
  test('is three files that only its owner reads, sound by their sums; the text form is the same moment', async () => {
    const { code, stdout, stderr } = await backup();
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/backup-\d{8}T\d{6}Z\.dump: \d+ bytes; 0 older than 14 days removed\n$/);
    expect(files().map((name) => name.replace(/^backup-\d{8}T\d{6}Z/, ''))).toEqual(['.dump', '.sha256', '.sql.gz']);
    for (const name of files()) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
    const sums = execFileSync('sha256sum', ['--check', files('.sha256')[0] ?? ''], { cwd: dir, encoding: 'utf8' });
    expect(sums.match(/OK/g)).toHaveLength(2);
    await query(ownerUrl, 'create database from_text template template0');
    const load = `gunzip -c ${files('.sql.gz')[0]} | psql -Xq -v ON_ERROR_STOP=1 "${other('from_text')}"`;
    execFileSync('bash', ['-euo', 'pipefail', '-c', load], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
    expect(await products(other('from_text'))).toBe(await products(ownerUrl));
  });

  test('shows the password to nobody: not in an argument of any program', async () => {
    const seen = join(folder, 'arguments');
    const { code } = await backup({
      PATH: wrap('pg_dump', `echo "$@" >>${seen}; tr '\\0' ' ' </proc/$PPID/cmdline >>${seen}; exec REAL "$@"`),
    });
    expect(code).toBe(0);
    expect(readFileSync(seen, 'utf8')).toContain('--format=custom');
    expect(readFileSync(seen, 'utf8')).not.toContain(postgres.shared.ownerPassword);
  });

  test('takes a connection string as it is written: any password, and sslmode is honoured', async () => {
    const { superuserUrl } = postgres.shared;
    const password = `p@s:s/w%41\\o?r&d "'$(x)`;
    await query(superuserUrl, `create role odd superuser login password '${password.replaceAll("'", "''")}'`);
    const url = asRole(superuserUrl, 'odd', '', DATABASE).replace('odd@', `odd:${encodeURIComponent(password)}@`);
    expect((await backup({ MIGRATION_DATABASE_URL: `${url}?sslmode=disable` })).code).toBe(0);
    const plain = await backup({ MIGRATION_DATABASE_URL: `${url}?sslmode=require` });
    expect([plain.code, plain.stderr]).toEqual([69, expect.stringContaining('SSL')]);
  });

  test.each([
    [
      'of a database that does not let us in',
      { MIGRATION_DATABASE_URL: 'postgres://ecommerce_owner:wrong@127.0.0.1:1/shop' },
      69,
    ],
    ['through a pooler', { MIGRATION_DATABASE_URL: 'postgres://a:b@ep-x-pooler.neon.tech/shop' }, 64],
    ['of what is no address', { MIGRATION_DATABASE_URL: 'host=localhost dbname=shop' }, 64],
    ['with an unknown parameter', { MIGRATION_DATABASE_URL: 'postgres://a:b@localhost/shop?ssl=1' }, 64],
    ['of nothing', { MIGRATION_DATABASE_URL: '' }, 64],
    ['to where nothing can be written', { BACKUP_DIR: '/dev/null/backups' }, 74],
    ['for no days', { BACKUP_RETENTION_DAYS: '0' }, 64],
    ['for longer than the table says', { BACKUP_RETENTION_DAYS: '3651' }, 64],
  ])('%s fails and leaves nothing', async (_, env, expected) => {
    const { code, stderr } = await backup(env);
    expect([code, stderr.trim() !== '', readdirSync(dir).filter((name) => name !== '.lock')]).toEqual([
      expected,
      true,
      [],
    ]);
  });

  test('goes to where the table of variables says when nobody says otherwise', async () => {
    const { code, stderr } = await backup({ BACKUP_DIR: '', PATH: wrap('mkdir', 'exit 1') });
    expect([code, stderr]).toEqual([74, expect.stringContaining(`cannot make ${parseHost({}).BACKUP_DIR}\n`)]);
  });

  describe('reads its file of settings and runs nothing in it', () => {
    /** What pg_dump would be told. */
    async function told(lines: string[]) {
      const [settings, seen] = [join(dir, 'settings'), join(dir, 'seen')];
      writeFileSync(settings, lines.join('\n'));
      const PATH = wrap('pg_dump', `env >${seen}; exit 1`);
      const { code, stderr } = await runScript('backup-db.sh', [], { BACKUP_ENV: settings, BACKUP_DIR: dir, PATH });
      const variables = existsSync(seen) ? readFileSync(seen, 'utf8').split('\n') : [];
      return { code, stderr, variables };
    }

    test('an address as Neon prints it, and a password of any letters', async () => {
      const ran = join(dir, 'ran');
      const password = 'a$b;c`d"e\\';
      const address = `postgres://neondb_owner:${password}@ep-x.neon.tech/shop?sslmode=require&channel_binding=require`;
      const { code, variables } = await told([
        '# of the shop',
        '',
        `MIGRATION_DATABASE_URL=${address}`,
        `PGAPPNAME=$(touch ${ran}); touch ${ran} & \`touch ${ran}\``,
        `PGPASSFILE='/etc/it''s one'`,
        'PGCLIENTENCODING="UTF8"\r',
      ]);
      expect(code).toBe(69);
      expect(variables).toEqual(
        expect.arrayContaining([
          `PGPASSWORD=${password}`,
          'PGSSLMODE=require',
          'PGCHANNELBINDING=require',
          `PGAPPNAME=$(touch ${ran}); touch ${ran} & \`touch ${ran}\``,
          `PGPASSFILE=/etc/it''s one`,
          'PGCLIENTENCODING=UTF8',
        ]),
      );
      expect(existsSync(ran)).toBe(false);
    });

    test.each(['touch here', 'export PGUSER=me', 'PGUSER = me', 'x[$(touch here)]=1'])(
      'a line that is no setting is named by its number, and not shown: %s',
      async (line) => {
        const { code, stderr } = await told(['', line]);
        expect([code, stderr]).toEqual([64, expect.stringContaining('settings: line 2 is not NAME=value')]);
        expect(stderr).not.toContain(line);
      },
    );
  });

  test('whose dump breaks off leaves nothing, and so does one that is killed once the next has run', async () => {
    const broken = await backup({
      PATH: wrap('pg_dump', 'REAL "$@"; for file; do :; done; truncate -s 1000 "${file#--file=}"'),
    });
    expect([broken.code, files()]).toEqual([69, []]);
    const PATH = wrap('pg_dump', 'sleep 600 9>&- & echo $! >"$BACKUP_DIR/sleeper"; wait');
    const env = { PATH, MIGRATION_DATABASE_URL: ownerUrl, BACKUP_DIR: dir };
    const killed = spawn(join(BACKUP, 'backup-db.sh'), [], { env, stdio: 'ignore', detached: true });
    while (!existsSync(join(dir, 'sleeper'))) await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await backup()).code).toBe(75);
    process.kill(-(killed.pid ?? 0), 'SIGKILL');
    await once(killed, 'exit');
    expect(readdirSync(dir).some((name) => name.startsWith('.partial-'))).toBe(true);
    expect((await backup()).code).toBe(0);
    expect(readdirSync(dir).some((name) => name.startsWith('.partial-'))).toBe(false);
  });

  test('is kept 14 days, or as long as told, and never removed before there is a newer one', async () => {
    const make = (days: number) =>
      ['dump', 'sql.gz', 'sha256'].map((form) => writeFileSync(join(dir, `backup-${stampOf(days)}.${form}`), ''));
    const kept = stampOf(13.9).slice(0, 8);
    for (const days of [60, 14.01, 13.9, 1]) make(days);
    writeFileSync(join(dir, 'backup-of-the-old-shop.dump'), '');
    const failed = await backup({ MIGRATION_DATABASE_URL: 'postgres://a:b@127.0.0.1:1/shop' });
    expect([failed.code, files('.dump')]).toMatchObject([69, { length: 5 }]);
    const first = await backup();
    expect(first.stdout).toContain('; 2 older than 14 days removed');
    const left = files('.dump');
    expect(left).toHaveLength(4);
    expect(left).toEqual(expect.arrayContaining([expect.stringContaining(`backup-${kept}`)]));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect((await backup({ BACKUP_RETENTION_DAYS: '1' })).stdout).toContain('; 2 older than 1 days removed');
    expect(files('.sha256')).toHaveLength(2);
    expect(files('.dump')).toContain('backup-of-the-old-shop.dump');
  });
});

describe.skipIf(!possible)('the guide’s own lines', () => {
  test('pg_dump -h postgres -U user -d ecommerce > backup-$(date +%Y%m%d).sql', async () => {
    const { port, ownerPassword } = postgres.shared;
    const line = 'pg_dump -h postgres -U user -d ecommerce > backup-$(date +%Y%m%d).sql'
      .replace('-h postgres', `-h 127.0.0.1 -p ${port}`)
      .replace('-U user', `-U ${OWNER_ROLE}`);
    execFileSync('bash', ['-euc', line], {
      cwd: dir,
      env: { PATH: process.env['PATH'], PGPASSWORD: ownerPassword },
      stdio: 'ignore',
    });
    const [name = ''] = readdirSync(dir);
    expect(name).toMatch(/^backup-20\d{6}\.sql$/);
    expect(readFileSync(join(dir, name), 'utf8')).toContain('PostgreSQL database dump complete');
  });

  test('0 2 * * * /usr/local/bin/backup-db.sh: by cron’s shell, with nothing but the settings’ file', () => {
    const line = readFileSync(join(BACKUP, 'crontab'), 'utf8').split('\n').at(-2) ?? '';
    expect(line).toBe('0 2 * * * /usr/local/bin/backup-db.sh');
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    symlinkSync(join(BACKUP, 'backup-db.sh'), join(bin, 'backup-db.sh'));
    const settings = join(dir, 'backup.env');
    writeFileSync(settings, `MIGRATION_DATABASE_URL='${ownerUrl}'\nBACKUP_DIR=${dir}\n`, { mode: 0o600 });
    const command = line.slice('0 2 * * * '.length).replace('/usr/local/bin', bin);
    const env = { PATH: '/usr/bin:/bin', HOME: '/', SHELL: '/bin/sh', BACKUP_ENV: settings };
    execFileSync('/bin/sh', ['-c', command], { env });
    expect(files('.dump')).toHaveLength(1);
  });
});

describe.skipIf(!possible)('a restore', () => {
  test('refuses what is not whole, what is there already, and a stranger; and takes back what it began', async () => {
    await backup();
    const [file = ''] = files('.dump');
    expect((await restore(file, DATABASE)).stderr).toContain('is there already');
    expect((await restore(file, 'Robert"); drop')).code).toBe(64);
    expect((await restore('backup-nothing.dump', 'fresh')).code).toBe(64);
    const { superuserUrl } = postgres.shared;
    await query(superuserUrl, `create role stranger login password 'x' createdb`);
    const stranger = await restore(file, 'fresh', {
      MIGRATION_DATABASE_URL: asRole(superuserUrl, 'stranger', 'x', DATABASE),
    });
    expect([stranger.code, stranger.stderr]).toEqual([64, expect.stringContaining(`run this as ${OWNER_ROLE}`)]);
    const broken = await restore(file, 'fresh', {
      PATH: wrap('pg_restore', 'case "$*" in *--list*) exec REAL "$@";; *) exit 1;; esac'),
    });
    expect(broken).toMatchObject({ code: 69, stderr: expect.stringContaining('fresh is gone again') });
    copyFileSync(join(dir, file), join(dir, 'whole'));
    const bytes = readFileSync(join(dir, file));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(join(dir, file), bytes);
    expect(await restore(file, 'fresh')).toMatchObject({ code: 65, stderr: expect.stringContaining('is not what') });
    expect(await query(superuserUrl, `select from pg_database where datname = 'fresh'`)).toEqual([]);
    copyFileSync(join(dir, 'whole'), join(dir, file));
    const bySuperuser = await restore(file, 'fresh', { MIGRATION_DATABASE_URL: superuserUrl });
    expect([bySuperuser.code, bySuperuser.stderr]).toEqual([0, '']);
    const owners = `select distinct pg_get_userbyid(relowner) as owner from pg_class where relnamespace = 'public'::regnamespace`;
    expect(await query(other('fresh'), owners)).toEqual([{ owner: OWNER_ROLE }]);
  });
});
