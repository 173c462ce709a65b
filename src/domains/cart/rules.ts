import { minor, type Minor } from '../../platform/money.ts';
import { price, type Discount, type Priced } from '../pricing/index.ts';
import type { Cart } from './schema.ts';
import type { CartRow, DiscountRow, ItemRow } from './queries/view.ts';

/** A line that can be bought: its SKU has a price in the cart's currency. */
export type BuyableItem = ItemRow & { unit_price: number };

export function isBuyable(item: ItemRow): item is BuyableItem {
  return item.unit_price !== null;
}

/** A fixed amount counts only in its own currency. */
function discountOf(row: DiscountRow, currency: string): Discount[] {
  const { code, name } = row;
  if (row.kind === 'percent') return [{ code, name, kind: 'percent', ratePpm: row.rate_ppm ?? 0 }];
  return row.currency === currency ? [{ code, name, kind: 'fixed', amount: minor(row.amount ?? 0) }] : [];
}

/** Lines that cannot be bought are left out of every sum; placing the order refuses them by name. */
export function priceCart(row: CartRow): Priced {
  return price({
    currency: row.currency,
    taxInclusive: row.tax_inclusive,
    lines: row.items.filter(isBuyable).map((item) => ({
      id: item.id,
      unitPrice: minor(item.unit_price),
      quantity: item.quantity,
      taxRatePpm: row.tax_rate_ppm,
    })),
    discounts: row.discounts.flatMap((discount) => discountOf(discount, row.currency)),
    shipping: row.shipping_option && { amount: minor(row.shipping_option.amount), taxRatePpm: row.tax_rate_ppm },
    giftCards: [],
  });
}

const NOTHING_DUE = { subtotal: 0, discountTotal: 0, taxTotal: 0, total: 0 };

function toItems(row: CartRow, priced: Priced): Cart['items'] {
  const lines = new Map(priced.lines.map((line) => [line.id, line]));
  return row.items.map((item) => {
    const line = lines.get(item.id) ?? NOTHING_DUE;
    const isAvailable = isBuyable(item) && item.quantity <= item.available_quantity;
    return {
      id: item.id,
      sku_id: item.sku_id,
      sku_code: item.sku_code,
      title: item.title,
      quantity: item.quantity,
      unit_price: item.unit_price ?? 0,
      subtotal: line.subtotal,
      discount_total: line.discountTotal,
      tax_total: line.taxTotal,
      total: line.total,
      available: isAvailable,
      available_quantity: isBuyable(item) ? item.available_quantity : 0,
      backorder: isAvailable && item.quantity > item.there_quantity,
      expected_at: isBuyable(item) ? item.expected_at : null,
    };
  });
}

export interface TotalsView {
  subtotal: Minor;
  discount_total: Minor;
  shipping_total: Minor;
  shipping_tax_total: Minor;
  tax_total: Minor;
  gift_card_total: Minor;
  total: Minor;
}

/** The totals under their names in the contract, the same on carts and orders. */
export function totalsOf({ totals }: Priced): TotalsView {
  return {
    subtotal: totals.subtotal,
    discount_total: totals.discountTotal,
    shipping_total: totals.shippingTotal,
    shipping_tax_total: totals.shippingTaxTotal,
    tax_total: totals.taxTotal,
    gift_card_total: totals.giftCardTotal,
    total: totals.total,
  };
}

export function toCart(row: CartRow, expand?: 'shipping_options'): Cart {
  const priced = priceCart(row);
  return {
    id: row.id,
    version: row.version,
    status: row.status,
    market: row.market,
    currency: row.currency,
    tax_inclusive: row.tax_inclusive,
    items: toItems(row, priced),
    email: row.email,
    shipping_address: row.shipping_address,
    billing_address: row.billing_address,
    shipping_option_id: row.shipping_option?.id ?? null,
    ...(expand && { shipping_options: row.shipping_options.map((option) => ({ ...option, currency: row.currency })) }),
    discount_codes: row.discounts.map((discount) => discount.code),
    promotions: priced.promotions,
    note: row.note,
    ...totalsOf(priced),
    created_at: row.created_at,
    expires_at: row.expires_at,
  };
}
