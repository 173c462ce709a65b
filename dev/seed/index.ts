import pg from 'pg';
import { demoCategories, type DemoProduct, demoProducts } from './catalog.ts';
import { demoShop, LOCATIONS } from './shop.ts';

export interface SeedOptions {
  /** How many products, with two to a dozen SKUs each. */
  products: number;
  /** Called after each batch with counts of products. */
  onProgress?: (done: number, total: number) => void;
}

/** Any constant will do, as long as every seed uses the same. */
const LOCK_KEY = 7_246_310_584;
const BATCH = 50;

/** True when the database already sells something. Throws when it was not migrated. */
export async function hasProducts(ownerUrl: string): Promise<boolean> {
  return withClient(ownerUrl, sellsSomething);
}

/**
 * Fills an empty shop with the demo, all or nothing; answers false when there are products already.
 * Throws in production, and for a database that holds an order.
 */
export async function seedDemo(ownerUrl: string, options: SeedOptions): Promise<boolean> {
  if (process.env.ENVIRONMENT === 'production')
    throw new Error('The demo shop is never seeded with ENVIRONMENT=production.');
  const shop = await demoShop();
  return withClient(ownerUrl, async (client) => {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [LOCK_KEY]);
    const stocked = await sellsSomething(client);
    const { rowCount: orders } = await client.query('select from orders limit 1');
    if (orders !== 0) throw new Error('The demo shop is never seeded into a database that holds an order.');
    if (stocked) return false;
    for (const [table, rows] of Object.entries(shop)) await insert(client, table, rows);
    await insert(client, 'categories', demoCategories());
    const products = demoProducts(options.products, LOCATIONS);
    for (let done = 0; done < products.length; done += BATCH) {
      await insertProducts(client, products.slice(done, done + BATCH));
      options.onProgress?.(Math.min(done + BATCH, products.length), products.length);
    }
    await client.query('commit');
    await client.query('analyze');
    return true;
  });
}

async function insertProducts(client: pg.Client, batch: DemoProduct[]): Promise<void> {
  await insert(
    client,
    'products',
    batch.map(({ product }) => product),
  );
  await insert(
    client,
    'product_categories',
    batch.flatMap(({ categories }) => categories),
  );
  await insert(
    client,
    'skus',
    batch.flatMap(({ skus }) => skus),
  );
  await insert(
    client,
    'prices',
    batch.flatMap(({ prices }) => prices),
  );
  await insert(
    client,
    'stock_levels',
    batch.flatMap(({ stock }) => stock),
  );
}

/** One statement whatever the number of rows; the table itself says how to read each column. */
async function insert(client: pg.Client, table: string, rows: object[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {}).join(', ');
  if (columns === '') return;
  const source = `jsonb_populate_recordset(null::${table}, $1)`;
  await client.query(`insert into ${table} (${columns}) select ${columns} from ${source}`, [JSON.stringify(rows)]);
}

async function sellsSomething(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query("select to_regclass('products') is null as absent");
  if (rows[0]?.absent) throw new Error('The database has no tables yet: run the migrations first.');
  return (await client.query('select from products limit 1')).rowCount !== 0;
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'seed' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
