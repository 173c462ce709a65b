import { randomBytes } from 'node:crypto';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { migrateDown, migrateUp } from '../../dev/migrate.ts';
import { APP_ROLE, asRole, dropDatabase, OWNER_ROLE } from '../../dev/roles.ts';
import { folderOf, query } from '../migrations/database.ts';
import { until } from '../dev/neon-fixture.ts';
import { call, createSku } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let appUrl: string;
beforeAll(async () => {
  stack = await startStack();
  appUrl = stack.bindings['DATABASE_URL'] ?? '';
  // A clone of a database has neither its settings nor its rights, as a restored dump has none.
  await stack.owner.query('select restrict_app_role()');
});
afterAll(() => stack.close());

const codeOf = (url: string, sql: string) =>
  query(url, sql).then(
    () => 'done',
    (error: unknown) => (error instanceof pg.DatabaseError ? error.code : error),
  );

test('the Worker runs as the restricted role, and only as that', async () => {
  await call(stack, 'GET', '/markets');
  const { rows } = await stack.owner.query(
    `select distinct usename from pg_stat_activity where datname = current_database() and usename <> $1`,
    [OWNER_ROLE],
  );
  expect(rows).toEqual([{ usename: APP_ROLE }]);
});

describe('the role of the Worker', () => {
  test('reads and writes rows', async () => {
    for (const right of ['select', 'insert', 'update', 'delete']) {
      const sql = `select has_table_privilege('carts', '${right}') as has`;
      expect([right, await query(appUrl, sql)]).toEqual([right, [{ has: true }]]);
    }
  });

  test.each([
    'create table mine (id int)',
    'create temporary table mine (id int)',
    'create schema mine',
    'create extension citext',
    'create function mine() returns int language sql as $$ select 1 $$',
    'create database mine',
    'create role mine',
    'alter table carts add column mine int',
    'create index mine on carts (id)',
    'drop table carts',
    'truncate carts',
    'alter role ecommerce_app superuser',
    `set role ${OWNER_ROLE}`,
    'update audit_log set action = action',
    'delete from audit_log',
    'delete from payment_transactions',
    'insert into stock_movements default values',
    'select restrict_app_role()',
    'select * from schema_migrations',
    `copy carts to program 'cat'`,
  ])('is refused: %s', async (sql) => {
    expect(await codeOf(appUrl, sql)).toBe('42501');
  });
});

describe('time limits', () => {
  const limit = (name: string, value: string) =>
    stack.owner.query(`alter role ${APP_ROLE} in database ${stack.databaseName} set ${name} = '${value}'`);
  const shown = async (url: string) =>
    (
      await query(
        url,
        `select name, setting from pg_settings
         where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') order by name`,
      )
    ).map(({ setting }) => Number(setting));

  test('are the role’s own, in milliseconds, and the owner has none', async () => {
    expect(await shown(appUrl)).toEqual([15_000, 5_000, 15_000]);
    const { superuserUrl, ownerPassword } = inject('shared');
    expect(await shown(asRole(superuserUrl, OWNER_ROLE, ownerPassword, stack.databaseName))).toEqual([0, 0, 0]);
  });

  test('a statement that runs too long is ended', async () => {
    await limit('statement_timeout', '100ms');
    expect(await codeOf(appUrl, 'select pg_sleep(60)')).toBe('57014');
    await limit('statement_timeout', '15s');
  });

  test('a transaction that was left open is ended', async () => {
    await limit('idle_in_transaction_session_timeout', '100ms');
    const client = new pg.Client({ connectionString: appUrl });
    const ended = new Promise<Error & { code?: string }>((resolve) => client.on('error', resolve));
    await client.connect();
    await client.query('begin');
    expect((await ended).code).toBe('25P03');
    await client.end();
    await limit('idle_in_transaction_session_timeout', '15s');
  });

  test('a wait for a lock that is too long is "try again shortly", and then it works', async () => {
    await limit('lock_timeout', '300ms');
    // Limits are those of the login: the endpoint in front logs in again. Other files have their sessions on this server.
    await stack.owner.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and datname = current_database()',
      [APP_ROLE],
    );
    await until(async () => (await call(stack, 'GET', '/markets')).status === 200);
    const { id: sku_id } = await createSku(stack, { stock: 9 });
    const { body: cart } = await call(stack, 'POST', '/carts', { items: [{ sku_id, quantity: 1 }] });
    const holder = await stack.owner.connect();
    await holder.query('begin');
    await holder.query('select from carts where id = $1 for update', [cart.id]);
    const add = () => call(stack, 'POST', `/carts/${cart.id}/items`, { sku_id, quantity: 1 });
    const refused = await add();
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
      503,
      'dependency_unavailable',
      '2',
    ]);
    await holder.query('rollback');
    holder.release();
    expect((await add()).body.items[0].quantity).toBe(2);
  });
});

test('what a superuser migrates belongs to the owner, later files too, and the Worker’s role has its rights', async () => {
  const { superuserUrl, appPassword } = inject('shared');
  const name = `roles_${randomBytes(6).toString('hex')}`;
  await query(superuserUrl, `create database ${name}`);
  onTestFinished(() => dropDatabase(superuserUrl, name));
  const url = new URL(superuserUrl);
  url.pathname = `/${name}`;
  const folder = folderOf({});
  cpSync(join(import.meta.dirname, '../../migrations'), folder, { recursive: true });
  await migrateUp(url.href, folder);
  writeFileSync(join(folder, '20990101000000_create_pears.sql'), 'create table pears (id int);');
  writeFileSync(join(folder, '20990101000000_create_pears.down.sql'), 'drop table pears;');
  await migrateUp(url.href, folder);
  const owners = await query(
    url.href,
    `select distinct pg_get_userbyid(owner) as owner from (
       select relowner from pg_class where relnamespace = 'public'::regnamespace
       union all select proowner from pg_proc where pronamespace = 'public'::regnamespace) as all_of_it (owner)`,
  );
  expect(owners).toEqual([{ owner: OWNER_ROLE }]);
  const app = asRole(superuserUrl, APP_ROLE, appPassword, name);
  expect(await query(app, 'insert into pears values (1) returning id')).toEqual([{ id: 1 }]);
  expect(await codeOf(app, 'create table mine (id int)')).toBe('42501');
  await migrateDown(url.href, 1, folder);
});
