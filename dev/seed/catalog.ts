import { createHash } from 'node:crypto';
import { LINES, type Shelf, SHELVES } from './vocabulary.ts';

export interface CategoryRow {
  id: string;
  parent_id: string | null;
  handle: string;
  name: string;
  position: number;
}

export interface SkuRow {
  id: string;
  product_id: string;
  code: string;
  title: string;
  options: Record<string, string>;
  position: number;
}

export interface PriceRow {
  sku_id: string;
  currency: string;
  /** Minor units. */
  amount: number;
  compare_at_amount: number | null;
}

export interface StockRow {
  sku_id: string;
  location_id: string;
  on_hand: number;
}

export interface DemoProduct {
  product: {
    id: string;
    handle: string;
    title: string;
    description: string;
    status: 'active';
    options: { name: string; values: string[] }[];
    images: { url: string; alt: string }[];
    metadata: Record<string, string>;
  };
  categories: { product_id: string; category_id: string }[];
  skus: SkuRow[];
  prices: PriceRow[];
  stock: StockRow[];
}

const FIRST_DAY_MS = Date.UTC(2026, 0, 5);
const HOUR_MS = 3_600_000;
/** The second currency's price: a round exchange rate, with a fifth on top because it holds the tax. */
const EUR_PER_USD = 0.92 * 1.2;

/** A UUIDv7 (RFC 9562) made of a name and a place in time: the same on every run, sorted like the demo's history. */
export function demoId(name: string, hour = 0): string {
  const time = (FIRST_DAY_MS + hour * HOUR_MS).toString(16).padStart(12, '0');
  const tail = createHash('sha256').update(name).digest('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${tail.slice(6, 18)}`;
}

/** Parents come before their children. */
export function demoCategories(): CategoryRow[] {
  const rows = new Map<string, CategoryRow>();
  for (const { path } of SHELVES) {
    for (let depth = 1; depth <= path.length; depth += 1) {
      const trail = path.slice(0, depth);
      const handle = slug(trail.join(' '));
      if (rows.has(handle)) continue;
      const parent = depth === 1 ? null : categoryId(trail.slice(0, -1));
      rows.set(handle, {
        id: categoryId(trail),
        parent_id: parent,
        handle,
        name: trail.at(-1) ?? '',
        position: rows.size,
      });
    }
  }
  return [...rows.values()];
}

/** The first `count` products, spread over all shelves; the same for every run. */
export function demoProducts(count: number, locations: [string, string]): DemoProduct[] {
  const seen = new Map<string, number>();
  return Array.from({ length: count }, (_, index) => {
    return demoProduct(pick(SHELVES, index), index, locations, seen);
  });
}

function demoProduct(shelf: Shelf, index: number, locations: [string, string], seen: Map<string, number>): DemoProduct {
  const turn = Math.floor(index / SHELVES.length);
  const noun = pick(shelf.nouns, turn);
  const material = pick(shelf.materials, Math.floor(turn / shelf.nouns.length));
  const line = pick(LINES, index * 5 + turn * 4);
  const name = `${line} ${material} ${noun}`;
  const copies = (seen.get(name) ?? 0) + 1;
  seen.set(name, copies);
  const title = copies === 1 ? name : `${name} No. ${copies}`;
  const id = demoId(title, index);
  const options = shelf.options.map(({ name: option, sets }) => ({ name: option, values: pick(sets, index + turn) }));
  const skus = variants(options).map((values, position): SkuRow => {
    const code = `${slug(noun).slice(0, 4)}-${String(index + 1).padStart(4, '0')}-${position + 1}`.toUpperCase();
    return {
      id: demoId(code, index),
      product_id: id,
      code,
      title: Object.values(values).join(' / '),
      options: values,
      position,
    };
  });
  const base = basePrice(shelf, chance(title, 'price'));
  const onSale = chance(title, 'sale') < 0.15;
  return {
    product: {
      id,
      handle: slug(title),
      title,
      description: `${noun} in ${material.toLowerCase()}, from the ${line} line. ${shelf.virtue} ${careOf(turn)}`,
      status: 'active',
      options,
      images: [{ url: `https://images.example.com/${slug(title)}.jpg`, alt: title }],
      metadata: { collection: line, material },
    },
    categories: shelf.path.map((_, depth) => ({
      product_id: id,
      category_id: categoryId(shelf.path.slice(0, depth + 1)),
    })),
    skus,
    prices: skus.flatMap((sku) => pricesOf(sku, base, onSale)),
    stock: skus.flatMap((sku) => stockOf(sku, locations)),
  };
}

/** Every combination of the options' values. */
function variants(options: { name: string; values: string[] }[]): Record<string, string>[] {
  let rows: Record<string, string>[] = [{}];
  for (const { name, values } of options) {
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
  }
  return rows;
}

/** US cents, ending in .00, .50 or .95 as price tags do. */
function basePrice({ price: [low, high] }: Shelf, at: number): number {
  const dollars = Math.round(low + (high - low) * at);
  return dollars * 100 - pick([0, 50, 5], dollars);
}

function pricesOf(sku: SkuRow, base: number, onSale: boolean): PriceRow[] {
  // Larger packs, sizes and capacities cost more; clothes and shoes cost the same in every size.
  const sized =
    sku.options['Pack'] ?? sku.options['Capacity'] ?? sku.options['Diameter'] ?? sku.options['Volume'] ?? '';
  const factor = sized === '' ? 1 : 1 + 0.35 * sku.position;
  const usd = Math.round((base * factor) / 5) * 5;
  const eur = Math.round((usd * EUR_PER_USD) / 100) * 100 - 5;
  return [
    { sku_id: sku.id, currency: 'USD', amount: usd, compare_at_amount: onSale ? Math.round(usd / 80) * 100 : null },
    { sku_id: sku.id, currency: 'EUR', amount: eur, compare_at_amount: onSale ? Math.round(eur / 80) * 100 : null },
  ];
}

/** About one SKU in forty is sold out. */
function stockOf(sku: SkuRow, [main, reserve]: [string, string]): StockRow[] {
  const soldOut = chance(sku.code, 'sold out') < 0.025;
  const onHand = (max: number, salt: string): number => (soldOut ? 0 : 5 + Math.floor(chance(sku.code, salt) * max));
  return [
    { sku_id: sku.id, location_id: main, on_hand: onHand(240, 'main') },
    { sku_id: sku.id, location_id: reserve, on_hand: onHand(60, 'reserve') },
  ];
}

function careOf(turn: number): string {
  return pick(
    ['Made in small runs.', 'Repairs are free for two years.', 'Ships without plastic.', 'Designed to be mended.'],
    turn,
  );
}

function categoryId(trail: string[]): string {
  return demoId(`category ${trail.join(' > ')}`);
}

/** A number from 0 to 1 that depends on the text alone. */
function chance(text: string, salt: string): number {
  return createHash('sha256').update(`${salt} ${text}`).digest().readUInt32BE() / 2 ** 32;
}

function pick<T>(list: readonly T[], index: number): T {
  const item = list[index % list.length];
  if (item === undefined) throw new Error('an empty list has nothing to pick');
  return item;
}

function slug(text: string): string {
  const plain = text.normalize('NFD').replaceAll(/[\u0300-\u036f']/g, '');
  return plain
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}
