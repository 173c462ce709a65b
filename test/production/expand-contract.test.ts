import { describe, expect, test } from 'vitest';
import { expandContractFaults } from '../../deploy/cloudflare/expand-contract.ts';
import { statementsOf } from '../../deploy/cloudflare/sql-statements.ts';

const OLD = '20260101000000_create_apples';
const NEW = '20260201000000_change_apples';
const RELEASED = `
  create table apples (id int primary key, name text not null, color text default 'red');
  create unique index apples_name on apples (name);
  create index apples_color on apples (color);`;

function faults(sql: string, released: string[] = [OLD]): string[] {
  const files: Record<string, string> = { [OLD]: RELEASED, [NEW]: sql };
  const found = expandContractFaults({ pending: [NEW], released: new Set(released) }, (name) => files[name] ?? '');
  return found.map(({ why }) => why);
}

describe('what may break the running version is found', () => {
  test.each([
    'drop table apples',
    'DROP TABLE IF EXISTS public.apples CASCADE',
    'drop view ripe_apples',
    'drop function ripen(int)',
    'drop type color',
    'drop trigger apples_count on apples',
    'drop index apples_name',
    'drop index concurrently if exists public.apples_name',
    'truncate apples',
    'alter table apples rename to fruits',
    'alter table apples rename column name to title',
    'alter table only "apples" rename name to title',
    'alter view ripe_apples rename to ripe',
    'alter table apples drop column color',
    'alter table apples drop color',
    'alter table apples add weight int, drop column color',
    'alter table apples alter column color type int using color::int',
    'alter table apples alter color set data type varchar(3)',
    'alter table apples alter column color set not null',
    'alter table apples alter column color drop default',
    'alter table apples alter column id drop identity',
    'alter table apples add column weight int not null',
    'alter table apples add weight numeric(6, 2) not null check (weight > 0)',
    'alter table apples add constraint apples_named check (name <> $$default$$)',
    'alter table apples add unique (color)',
    'alter table apples add foreign key (color) references colors',
    'alter table apples drop constraint apples_pkey',
    'alter table apples enable row level security',
    'alter table apples set schema fruits',
    "alter type size rename value 's' to 'small'",
    'create unique index on apples (color)',
    'create unique index concurrently if not exists apples_color_2 on public.apples (color)',
    'revoke insert on apples from ecommerce_app',
    'do $$ begin alter table apples drop column color; end $$',
    "do language plpgsql $x$ begin execute 'drop table ' || 'apples'; end $x$",
    'create function f() returns void language sql as $$ revoke select on apples from r $$; select f()',
    'create trigger t before insert or update of name on apples for each row execute function f()',
    '/* create table apples */ drop table apples -- create table apples',
    'create table pears (id int); drop table apples',
  ])('%s', (sql) => {
    expect(faults(`${sql};`)).toHaveLength(1);
  });
});

describe('what the running version does not notice passes', () => {
  test.each([
    'create table pears (id int primary key, name text not null unique)',
    'create table pears (id int); create unique index on pears (id); alter table pears add constraint p check (id > 0)',
    'create table pears (id int); revoke insert on pears from ecommerce_app; drop table pears',
    'create function f() returns int language sql as $$ select 1; drop table apples; $$; revoke execute on function f() from public',
    'create trigger t before truncate on apples for each statement execute function f()',
    'create or replace function f() returns int language sql as $$ select 1 $$; select f()',
    'create index apples_ripe on apples (name, color)',
    'drop index apples_color',
    'alter table apples add column weight int',
    'alter table apples add column weight int not null default 0 check (weight >= 0)',
    'alter table apples add column number bigint not null generated always as identity',
    "alter table apples alter column color set default 'green', alter column color set not null",
    'alter table apples alter column color drop not null',
    'alter table apples validate constraint apples_named',
    "alter type size add value 'xl'",
    "insert into notes values ('drop table apples; it''s fine')",
    "update apples set color = E'it\\'s; drop table apples'",
    'comment on table "drop table apples" is \'\'',
    'grant select on apples to ecommerce_app',
    'do $$ begin create role r; end $$',
    '-- safe: the old version never writes to it\nalter table apples add unique (color)',
  ])('%s', (sql) => {
    expect(faults(`${sql};`)).toEqual([]);
  });
});

describe('a contract', () => {
  const sql = (expand: string) => `-- contract of ${expand}: 1.4 reads hue\nalter table apples drop column color;`;

  test('of an expansion that is released may take away', () => {
    expect(faults(sql(OLD))).toEqual([]);
  });

  test('of one that is not released yet may not', () => {
    expect(faults(sql(OLD), [])).toEqual([expect.stringContaining('not in the running release')]);
    expect(faults(sql(NEW))).toEqual([expect.stringContaining('deploy that first')]);
  });

  test('needs its reason', () => {
    expect(faults(sql(OLD).replace(': 1.4 reads hue', ''))).toHaveLength(1);
  });
});

test('of a list of changes the one at fault is shown', () => {
  const sql = 'alter table apples add column weight int, drop column color;';
  const [fault] = expandContractFaults({ pending: [NEW], released: new Set([OLD]) }, (name) =>
    name === OLD ? RELEASED : sql,
  );
  expect(fault).toEqual({
    file: `${NEW}.sql`,
    line: 1,
    statement: 'alter table apples drop column color',
    why: 'the column of apples may be in use',
  });
});

test('a mark of safety needs a reason and reaches one statement', () => {
  expect(faults('-- safe: ok\ndrop table apples;')).toHaveLength(1);
  expect(faults('-- safe: nobody has ever read these rows\ndrop table apples; drop table apples;')).toHaveLength(1);
});

test('statements know their line', () => {
  const lines = statementsOf("select ';';\n\n-- a note; of two\n  select $a$ ; $b$ $a$\n; select 3").map(
    ({ line }) => line,
  );
  expect(lines).toEqual([1, 4, 5]);
});
