import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { migrateDown, migrateUp, migrationStatus } from '../../dev/migrate.ts';
import { emptyDatabase, folderOf, query } from './database.ts';

const ROOT = join(import.meta.dirname, '../..');
const FIRST = '20260101000000_create_apples';
const SECOND = '20260102000000_create_pears';
const files = {
  [`${FIRST}.sql`]: 'create table apples (id int);\n',
  [`${FIRST}.down.sql`]: 'drop table apples;\n',
  [`${SECOND}.sql`]: 'create table pears (id int);\n',
  [`${SECOND}.down.sql`]: 'drop table pears;\n',
};

async function tables(url: string): Promise<string[]> {
  const rows = await query(
    url,
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`,
  );
  return rows.map((row) => String(row['relname'])).sort();
}

describe('refuses, and changes nothing', () => {
  test('a file that was edited after it was applied', async () => {
    const [url, folder] = [await emptyDatabase(), folderOf(files)];
    await migrateUp(url, folder);
    writeFileSync(join(folder, `${FIRST}.sql`), 'create table apples (id bigint);\n');
    await expect(migrateUp(url, folder)).rejects.toThrow(`${FIRST}.sql: edited`);
    await expect(migrateDown(url, 1, folder)).rejects.toThrow('edited');
    expect(await tables(url)).toEqual(['apples', 'pears', 'schema_migrations']);
  });

  test('a file that is gone', async () => {
    const [url, folder] = [await emptyDatabase(), folderOf(files)];
    await migrateUp(url, folder);
    rmSync(join(folder, `${FIRST}.sql`));
    rmSync(join(folder, `${FIRST}.down.sql`));
    await expect(migrateUp(url, folder)).rejects.toThrow(`${FIRST}.sql: missing`);
  });

  test('a new file that comes before an applied one', async () => {
    const [url, folder] = [await emptyDatabase(), folderOf(files)];
    await migrateUp(url, folder);
    for (const end of ['sql', 'down.sql'])
      writeFileSync(join(folder, `20260101120000_create_figs.${end}`), 'select 1;');
    await expect(migrateUp(url, folder)).rejects.toThrow('20260101120000_create_figs.sql: out of order');
  });

  test.each([
    [{ 'create_apples.sql': '', 'create_apples.down.sql': '' }, 'is named'],
    [{ [`${FIRST}.sql`]: '' }, 'beside it'],
    [{ [`${FIRST}.sql`]: 'begin;\nselect 1;\ncommit;', [`${FIRST}.down.sql`]: '' }, 'left to the runner'],
  ])('%o', async (bad, message) => {
    const url = await emptyDatabase();
    await expect(migrateUp(url, folderOf(bad))).rejects.toThrow(message);
    expect(await tables(url)).toEqual(['schema_migrations']);
  });

  test('the pooled host of Neon, which would lose the lock', async () => {
    await expect(migrateUp('postgres://u:p@ep-x-pooler.eu-central-1.aws.neon.tech/db')).rejects.toThrow('unpooled');
  });
});

test('a failing file names its line and leaves nothing; those before it stay', async () => {
  const url = await emptyDatabase();
  const folder = folderOf({
    ...files,
    [`${SECOND}.sql`]: 'create table pears (id int);\nselect 1;\nselect nothing;\n',
  });
  await expect(migrateUp(url, folder)).rejects.toThrow(`${SECOND}.sql:3: column "nothing" does not exist`);
  expect(await tables(url)).toEqual(['apples', 'schema_migrations']);
  expect((await migrationStatus(url, folder)).map((row) => row.state)).toEqual(['applied', 'pending']);
  writeFileSync(join(folder, `${SECOND}.sql`), 'create table pears (id int);\n');
  expect(await migrateUp(url, folder)).toEqual([SECOND]);
});

test('ten runners at once apply each file once', async () => {
  const [url, folder] = [await emptyDatabase(), folderOf(files)];
  const applied = await Promise.all(Array.from({ length: 10 }, () => migrateUp(url, folder)));
  expect(applied.flat().sort()).toEqual([FIRST, SECOND]);
});

test('down takes back the newest first, as many as asked', async () => {
  const [url, folder] = [await emptyDatabase(), folderOf(files)];
  await migrateUp(url, folder);
  expect(await migrateDown(url, 1, folder)).toEqual([SECOND]);
  expect(await migrateDown(url, 9, folder)).toEqual([FIRST]);
  expect(await migrateDown(url, 1, folder)).toEqual([]);
  expect(await tables(url)).toEqual(['schema_migrations']);
});

test('other line endings are not an edit', async () => {
  const [url, folder] = [await emptyDatabase(), folderOf(files)];
  await migrateUp(url, folder);
  writeFileSync(join(folder, `${FIRST}.sql`), 'create table apples (id int);\r\n');
  expect(await migrateUp(url, folder)).toEqual([]);
});

describe('npm run migrate', () => {
  const run = (args: string[], env: Record<string, string>): { code: number; output: string } => {
    try {
      const options = { cwd: ROOT, env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' as const };
      return { code: 0, output: execFileSync(process.execPath, ['dev/migrate.ts', ...args], options).toString() };
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: Buffer };
      return { code: status, output: stderr.toString() };
    }
  };

  test('up, status as a table, down', async () => {
    const env = { MIGRATION_DATABASE_URL: await emptyDatabase() };
    const count = readdirSync(join(ROOT, 'migrations')).filter((file) => file.endsWith('.down.sql')).length;
    expect(run(['status'], env).output.match(/ pending /g)).toHaveLength(count);
    expect(run(['up'], env).output.match(/^up {2}\d/gm)).toHaveLength(count);
    expect(run(['up'], env)).toEqual({ code: 0, output: 'Nothing to do.\n' });
    const { output } = run(['status'], env);
    expect(output).toMatch(/^migration +state +applied at\n\d+_\w+ +applied +\d{4}-/);
    expect(run(['down', String(count)], env).output.match(/^down {2}\d/gm)).toHaveLength(count);
  });

  test('says what is missing', () => {
    expect(run(['up'], {})).toMatchObject({ code: 1, output: expect.stringContaining('MIGRATION_DATABASE_URL') });
    expect(run([], {})).toMatchObject({ code: 1, output: expect.stringContaining('Usage: npm run migrate') });
    expect(run(['down', '-1'], {})).toMatchObject({ code: 1, output: expect.stringContaining('Usage') });
  });
});
