import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { migrateDown, migrateUp, migrationStatus } from '../../dev/migrate.ts';
import { APP_ROLE, asRole } from '../../dev/roles.ts';
import { emptyDatabase, query, schemaOf } from './database.ts';

const FOLDER = join(import.meta.dirname, '../../migrations');
const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.sql') && !file.endsWith('.down.sql'))
  .map((file) => file.slice(0, -'.sql'.length))
  .sort();
const hasPsql = spawnSync('psql', ['--version']).status === 0;

test('up, down to nothing, and up again give the same schema', async () => {
  const url = await emptyDatabase();
  const empty = await schemaOf(url);
  await migrateUp(url);
  const full = await schemaOf(url);
  expect(full.length).toBeGreaterThan(100);
  await migrateDown(url, names.length);
  expect(await schemaOf(url)).toEqual(empty);
  await migrateUp(url);
  expect(await schemaOf(url)).toEqual(full);
});

test('each step down undoes exactly its step up', async () => {
  const url = await emptyDatabase();
  await migrateUp(url);
  const downward: string[][] = [];
  for (const _ of names) {
    downward.push(await schemaOf(url));
    await migrateDown(url);
  }
  // Up again by hand, one file at a time, and compare at every step.
  for (const name of names) {
    await query(url, readFileSync(join(FOLDER, `${name}.sql`), 'utf8'));
    expect({ name, schema: await schemaOf(url) }).toEqual({ name, schema: downward.pop() });
  }
  expect((await migrationStatus(url)).every((row) => row.state === 'pending')).toBe(true);
});

test.skipIf(!hasPsql)('psql alone runs every file, up and down, to the same schema', async () => {
  const byRunner = await emptyDatabase();
  await migrateUp(byRunner);
  const byPsql = await emptyDatabase();
  const before = await schemaOf(byPsql);
  const psql = (file: string) =>
    execFileSync('psql', [byPsql, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', join(FOLDER, file)], { stdio: 'pipe' });
  for (const name of names) psql(`${name}.sql`);
  expect(await schemaOf(byPsql)).toEqual(await schemaOf(byRunner));
  for (const name of names.toReversed()) psql(`${name}.down.sql`);
  expect(await schemaOf(byPsql)).toEqual(before);
});

test('the role of the Worker reads and writes rows, and changes no table', async () => {
  const url = await emptyDatabase();
  await migrateUp(url);
  const { appPassword } = inject('shared');
  const app = asRole(url, APP_ROLE, appPassword);
  expect(await query(app, 'select id from products')).toEqual([]);
  const denied = ['create table mine (id int)', 'drop table products', 'alter table products add column x int'];
  const hidden = ['select * from schema_migrations', 'truncate products'];
  for (const sql of [...denied, ...hidden]) {
    const outcome = await query(app, sql).catch((error: unknown) => error);
    expect({ sql, outcome }).toMatchObject({ outcome: { code: '42501' } });
  }
});
