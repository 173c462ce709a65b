import { expect, test } from 'vitest';
import { migrateUp } from '../../dev/migrate.ts';
import { demoCategories, demoProducts } from '../../dev/seed/catalog.ts';
import { hasProducts, seedDemo } from '../../dev/seed/index.ts';
import { LOCATIONS } from '../../dev/seed/shop.ts';
import { verifyPassword } from '../../src/platform/auth/password.ts';
import { emptyDatabase, query } from '../migrations/database.ts';

const count = async (url: string, table: string): Promise<number> =>
  Number((await query(url, `select count(*) as n from ${table}`))[0]?.['n']);

test('a thousand products, each with two SKUs at least, all different, the same on every run', () => {
  const products = demoProducts(1_000, LOCATIONS);
  expect(new Set(products.map(({ product }) => product.handle)).size).toBe(1_000);
  expect(products.every(({ skus }) => skus.length >= 2)).toBe(true);
  const codes = products.flatMap(({ skus }) => skus.map((sku) => sku.code));
  expect(new Set(codes).size).toBe(codes.length);
  const amounts = products.flatMap(({ prices }) => prices.map((price) => price.amount));
  expect(amounts.every((amount) => Number.isSafeInteger(amount) && amount > 0)).toBe(true);
  expect(demoProducts(1_000, LOCATIONS)).toEqual(products);
});

test('the category tree has three levels, and every parent comes first', () => {
  const seen = new Map<string, number>();
  for (const { id, parent_id } of demoCategories())
    seen.set(id, parent_id === null ? 1 : (seen.get(parent_id) ?? NaN) + 1);
  expect(new Set(seen.values())).toEqual(new Set([1, 2, 3]));
});

test('fills an empty shop once, tells how far it is, and does nothing the second time', async () => {
  const url = await emptyDatabase();
  await expect(hasProducts(url)).rejects.toThrow('run the migrations first');
  await migrateUp(url);
  expect(await hasProducts(url)).toBe(false);
  const progress: [number, number][] = [];
  expect(await seedDemo(url, { products: 120, onProgress: (...step) => progress.push(step) })).toBe(true);
  expect(progress).toEqual([
    [50, 120],
    [100, 120],
    [120, 120],
  ]);
  const skus = await count(url, 'skus');
  expect(await count(url, 'prices')).toBe(2 * skus);
  expect(await seedDemo(url, { products: 120 })).toBe(false);
  expect(await count(url, 'skus')).toBe(skus);
  const markets = await query(url, 'select code, currency, tax_inclusive from markets order by code desc');
  expect(markets).toEqual([
    { code: 'us', currency: 'USD', tax_inclusive: false },
    { code: 'eu', currency: 'EUR', tax_inclusive: true },
  ]);
});

test('two seeds at once make one shop', async () => {
  const url = await emptyDatabase();
  await migrateUp(url);
  const made = await Promise.all([seedDemo(url, { products: 30 }), seedDemo(url, { products: 30 })]);
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(await count(url, 'products')).toBe(30);
});

test('the demo logins work with the passwords that are printed', async () => {
  const url = await emptyDatabase();
  await migrateUp(url);
  await seedDemo(url, { products: 1 });
  const accounts = await query(url, 'select kind, email, password_hash from accounts order by kind');
  expect(accounts).toMatchObject([
    { kind: 'customer', email: 'buyer@demo.test' },
    { kind: 'staff', email: 'admin@demo.test' },
  ]);
  expect(await verifyPassword('demo-buyer-password', String(accounts[0]?.['password_hash']))).toBe(true);
  expect(await verifyPassword('demo-admin-password', String(accounts[1]?.['password_hash']))).toBe(true);
});

test('is refused in production', async () => {
  const before = process.env.ENVIRONMENT;
  process.env.ENVIRONMENT = 'production';
  try {
    await expect(seedDemo('postgres://nobody@127.0.0.1:1/none', { products: 1 })).rejects.toThrow('production');
  } finally {
    if (before === undefined) delete process.env.ENVIRONMENT;
    else process.env.ENVIRONMENT = before;
  }
});

test('is refused where there is an order, and writes nothing', async () => {
  const url = await emptyDatabase();
  await migrateUp(url);
  // An order alone, without the rows around it: only its being there counts.
  const columns = await query(url, ORDER_COLUMNS);
  const names = columns.map((row) => row['name']).join(', ');
  const values = columns.map((row) => row['value']).join(', ');
  for (const row of await query(url, FOREIGN_KEYS))
    await query(url, `alter table orders drop constraint ${String(row['name'])}`);
  await query(url, `insert into orders (${names}) values (${values})`);
  await expect(seedDemo(url, { products: 1 })).rejects.toThrow('holds an order');
  expect(await count(url, 'products')).toBe(0);
  expect(await count(url, 'markets')).toBe(0);
});

const FOREIGN_KEYS = `select conname as name from pg_constraint where conrelid = 'orders'::regclass and contype = 'f'`;

/** A value that fits each column that must have one, so that this test knows no column of the table. */
const ORDER_COLUMNS = `select attname as name, case
    when attname = 'status' then '''pending'''
    when attname = 'currency' then '''USD'''
    when atttypid = 'uuid'::regtype then 'gen_random_uuid()'
    when atttypid = 'jsonb'::regtype then '''{}'''
    when atttypid = 'timestamptz'::regtype then 'now()'
    when atttypid = 'bool'::regtype then 'false'
    when atttypid in ('int'::regtype, 'bigint'::regtype) then '0'
    else '''x''' end as value
  from pg_attribute where attrelid = 'orders'::regclass and attnum > 0 and not attisdropped
    and attnotnull and not atthasdef`;
