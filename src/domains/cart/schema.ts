import * as z from 'zod';
import { currencyCode, email, money, text, timestamp, uuid } from '../../platform/http/schema.ts';
import { Address } from '../customers/index.ts';
import { MarketCode } from '../markets/index.ts';

/** 128 random bits as 22 base64url characters. */
export const CartId = z.string().regex(/^[A-Za-z0-9_-]{22}$/);
export const QUANTITY_MAX = 10_000;
export const LINES_MAX = 100;
export const CODES_MAX = 5;

const Quantity = z.int().min(1).max(QUANTITY_MAX);
export const DiscountCode = text(64).transform((code) => code.toUpperCase());

export const NewItem = z.strictObject({ sku_id: uuid, quantity: Quantity });
export type NewItem = z.output<typeof NewItem>;

/** Quantity 0 removes the line. */
export const ItemPatch = z.strictObject({ quantity: z.int().min(0).max(QUANTITY_MAX) });

/** Null clears a field; an absent one stays as it is. */
export const CartPatch = z.strictObject({
  email: email.nullish(),
  shipping_address: Address.nullish(),
  billing_address: Address.nullish(),
  shipping_option_id: uuid.nullish(),
  note: text(2000).nullish(),
});
export type CartPatch = z.output<typeof CartPatch>;

export const NewCart = CartPatch.extend({
  currency: currencyCode.optional(),
  market: MarketCode.optional(),
  items: z.array(NewItem).max(LINES_MAX).optional(),
  discount_codes: z.array(DiscountCode).max(CODES_MAX).optional(),
});
export type NewCart = z.output<typeof NewCart>;

export const CodeInput = z.strictObject({ code: DiscountCode });

export const CartQuery = z.strictObject({ expand: z.enum(['shipping_options']).optional() });

/** A line with its sums, the same on carts and orders. */
export const PricedItem = z.object({
  id: z.string(),
  sku_id: z.string(),
  sku_code: z.string(),
  title: z.string(),
  quantity: z.int(),
  unit_price: money,
  subtotal: money,
  discount_total: money,
  tax_total: money,
  total: money,
});

const Item = PricedItem.extend({
  /** Whether this many can be bought now. */
  available: z.boolean(),
  available_quantity: z.int(),
  /** It can be bought, and some of it has yet to come. */
  backorder: z.boolean(),
  /** When more is expected; null when nobody knows. */
  expected_at: timestamp.nullable(),
}).meta({ id: 'CartItem' });

const ShippingOption = z
  .object({ id: z.string(), code: z.string(), name: z.string(), amount: money, currency: currencyCode })
  .meta({ id: 'ShippingOption' });

export const Promotion = z
  .object({ code: z.string().nullable(), name: z.string(), amount: money })
  .meta({ id: 'Promotion' });

/** The sums of a cart, frozen under the same names on its order. */
export const Totals = z.object({
  subtotal: money,
  discount_total: money,
  shipping_total: money,
  shipping_tax_total: money,
  tax_total: money,
  gift_card_total: money,
  total: money,
});

export const Cart = z
  .object({
    id: z.string(),
    version: z.int(),
    status: z.enum(['open', 'completing', 'completed']),
    market: z.string(),
    currency: currencyCode,
    tax_inclusive: z.boolean(),
    items: z.array(Item),
    email: z.string().nullable(),
    shipping_address: Address.nullable(),
    billing_address: Address.nullable(),
    shipping_option_id: z.string().nullable(),
    shipping_options: z.array(ShippingOption).optional(),
    discount_codes: z.array(z.string()),
    promotions: z.array(Promotion),
    note: z.string().nullable(),
    ...Totals.shape,
    created_at: timestamp,
    expires_at: timestamp,
  })
  .meta({ id: 'Cart' });
export type Cart = z.output<typeof Cart>;

export const ShippingOptionList = z
  .object({ data: z.array(ShippingOption), has_more: z.literal(false), next_cursor: z.null() })
  .meta({ id: 'ShippingOptionList' });
