import * as z from 'zod';
import { currencyCode, listOf, money, text, timestamp } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';
import { MarketCode } from '../markets/index.ts';

export const IdOrHandle = z
  .string()
  .max(120)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/);

const Sku = z
  .object({
    id: z.string(),
    code: z.string(),
    title: z.string(),
    options: z.record(z.string(), z.string()),
    currency: currencyCode,
    price: money,
    compare_at_price: money.nullable(),
    available: z.boolean(),
    available_quantity: z.int().min(0),
    /** None is there: what is available has yet to come. */
    backorder: z.boolean(),
    /** When more is expected; null when nobody knows. */
    expected_at: timestamp.nullable(),
  })
  .meta({ id: 'Sku' });

const CategoryRef = z.object({ id: z.string(), handle: z.string(), name: z.string() });

export const Product = z
  .object({
    id: z.string(),
    handle: z.string(),
    title: z.string(),
    description: z.string(),
    status: z.enum(['draft', 'active', 'archived']),
    options: z.array(z.object({ name: z.string(), values: z.array(z.string()) })),
    categories: z.array(CategoryRef),
    images: z.array(z.object({ url: z.string(), alt: z.string() })),
    skus: z.array(Sku),
    metadata: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Product' });
export type Product = z.output<typeof Product>;

export const ProductList = listOf(Product).meta({ id: 'ProductList' });

/** Which prices to show. */
export const PriceContext = z.strictObject({ market: MarketCode.optional(), currency: currencyCode.optional() });
export type PriceContext = z.output<typeof PriceContext>;

const minorUnits = z.coerce.number().int().min(0).max(1e12);

/** Each accepted value of `sort`: what it sorts by, and which way. */
export const SORTS = {
  created_at: { by: 'created_at', descending: false },
  '-created_at': { by: 'created_at', descending: true },
  title: { by: 'title', descending: false },
  '-title': { by: 'title', descending: true },
  price: { by: 'price', descending: false },
  '-price': { by: 'price', descending: true },
} as const;

const ProductParams = PriceContext.extend({
  ...pageQuery,
  sort: z.enum(['created_at', '-created_at', 'title', '-title', 'price', '-price']).default('-created_at'),
  category: IdOrHandle.optional(),
  price_min: minorUnits.optional(),
  price_max: minorUnits.optional(),
  in_stock: z.enum(['true', 'false']).optional(),
});

const OPTION = /^option\.[^.\p{Cc}]{1,50}$/u;

/** The parameters above, and `option.<name>=<value>` for any option name. */
export const ProductQuery = ProductParams.catchall(text(100))
  .superRefine((value, context) => {
    const unknown = Object.keys(value).filter(
      (name) => !Object.hasOwn(ProductParams.shape, name) && !OPTION.test(name),
    );
    if (unknown.length > 0) {
      context.addIssue({ code: 'unrecognized_keys', keys: unknown, message: 'Unknown parameter.', input: value });
    }
  })
  .meta({ patternProperties: { [OPTION.source]: { type: 'string' } }, additionalProperties: false });
export type ProductQuery = z.output<typeof ProductQuery>;

export interface Category extends z.output<typeof CategoryRef> {
  parent_id: string | null;
  children: Category[];
}

export const Category: z.ZodType<Category> = CategoryRef.extend({
  parent_id: z.string().nullable(),
  children: z.array(z.lazy(() => Category)),
}).meta({ id: 'Category' });

export const CategoryTree = z.object({ data: z.array(Category), has_more: z.literal(false), next_cursor: z.null() });
