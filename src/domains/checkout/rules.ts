import { AppError, type FieldError } from '../../platform/errors.ts';
import { isBuyable, priceCart, totalsOf, type BuyableItem, type CartRow } from '../cart/index.ts';
import type { OrderRow } from '../orders/index.ts';
import type { ProviderName } from '../payments/index.ts';

/** What batch 1 freezes: a resume goes on with these ids and totals, never with new ones. */
export interface OrderPlan {
  orderId: string;
  number: string;
  attempt: string;
  paymentId: string;
  requestId: string;
  eventId: string;
  cart: CartRow & { email: string };
  shippingOption: NonNullable<CartRow['shipping_option']>;
  items: PlannedItem[];
  totals: ReturnType<typeof totalsOf>;
  promotions: { code: string | null; name: string; amount: number }[];
  payment: { provider: ProviderName; token: string | null; capture: 'automatic' | 'manual' };
}

export interface PlannedItem {
  id: string;
  sku_id: string;
  sku_code: string;
  title: string;
  quantity: number;
  unit_price: number;
  subtotal: number;
  discount_total: number;
  tax_rate_ppm: number;
  tax_total: number;
  total: number;
}

/** Every reason at once why this cart cannot be ordered yet, each naming its field. */
function missingParts(cart: CartRow): FieldError[] {
  const missing: FieldError[] = [];
  const need = (isThere: boolean, param: string, message: string) => {
    if (!isThere) missing.push({ param, code: 'required', message });
  };
  need(cart.items.length > 0, 'items', 'The cart is empty.');
  need(cart.email !== null, 'email', 'An e-mail address is needed.');
  need(cart.shipping_address !== null, 'shipping_address', 'A shipping address is needed.');
  need(cart.shipping_option !== null, 'shipping_option_id', 'A shipping option is needed.');
  for (const [index, item] of cart.items.entries()) {
    if (isBuyable(item)) continue;
    missing.push({ param: `items[${index}].sku_id`, code: 'sku_unavailable', message: 'This SKU cannot be bought.' });
  }
  return missing;
}

export interface PlanIds {
  orderId: string;
  number: string;
  attempt: string;
  uuid: () => string;
}

/** Prices the cart and freezes it. Throws cart_incomplete, or cart_changed when `expectedTotal` differs. */
export function planOrder(
  cart: CartRow,
  payment: OrderPlan['payment'],
  { expectedTotal, ids }: { expectedTotal: number | undefined; ids: PlanIds },
): OrderPlan {
  const errors = missingParts(cart);
  const { email, shipping_option: shippingOption } = cart;
  if (errors.length > 0 || email === null || !shippingOption) {
    throw new AppError('cart_incomplete', 'The cart cannot be ordered yet.', { param: errors[0]?.param, errors });
  }
  const priced = priceCart(cart);
  const totals = totalsOf(priced);
  if (expectedTotal !== undefined && expectedTotal !== totals.total) {
    throw new AppError('cart_changed', `The total is ${totals.total}, not ${expectedTotal}.`, {
      param: 'expected_total',
      members: { total: totals.total, currency: cart.currency },
    });
  }
  const lines = new Map(priced.lines.map((line) => [line.id, line]));
  const toItem = (item: BuyableItem): PlannedItem => ({
    id: ids.uuid(),
    sku_id: item.sku_id,
    sku_code: item.sku_code,
    title: item.title,
    quantity: item.quantity,
    unit_price: item.unit_price,
    subtotal: lines.get(item.id)?.subtotal ?? 0,
    discount_total: lines.get(item.id)?.discountTotal ?? 0,
    tax_rate_ppm: cart.tax_rate_ppm,
    tax_total: lines.get(item.id)?.taxTotal ?? 0,
    total: lines.get(item.id)?.total ?? 0,
  });
  return {
    orderId: ids.orderId,
    number: ids.number,
    attempt: ids.attempt,
    paymentId: ids.uuid(),
    requestId: ids.uuid(),
    eventId: ids.uuid(),
    cart: { ...cart, email },
    shippingOption,
    items: cart.items.filter(isBuyable).map(toItem),
    totals,
    promotions: priced.promotions,
    payment,
  };
}

/** Nothing to ask a provider about: money comes later by hand, or none is due. */
export function isSettledAtOnce({ payment, totals }: OrderPlan): boolean {
  return payment.provider === 'manual' || totals.total === 0;
}

/** How an order in this state answers whoever placed it. */
export function answerOf(order: OrderRow): 'placed' | 'declined' | 'waiting' | 'in_flight' | 'in_doubt' {
  if (order.status === 'failed') return 'declined';
  if (order.status !== 'pending') return 'placed';
  const ledger = order.payments.at(-1)?.ledger ?? [];
  if (ledger.some((row) => row.outcome === 'pending')) return 'waiting';
  return order.lease_live ? 'in_flight' : 'in_doubt';
}
