import {
  type Minor,
  ZERO,
  allocate,
  applyRate,
  currencyExponent,
  minor,
  multiply,
  smaller,
  subtract,
  sum,
  withoutRate,
} from '../../platform/money.ts';

export interface PricingLine {
  id: string;
  unitPrice: Minor;
  quantity: number;
  taxRatePpm: number;
}

/** `code` is the code that the buyer typed, null for one that applies by itself. */
export type Discount =
  | { code: string | null; name: string; kind: 'percent'; ratePpm: number }
  | { code: string | null; name: string; kind: 'fixed'; amount: Minor };

export interface PricingInput {
  currency: string;
  /** Whether unit prices and the shipping amount already hold their tax. */
  taxInclusive: boolean;
  lines: readonly PricingLine[];
  /** Applied in this order, each to what the ones before it left. */
  discounts: readonly Discount[];
  shipping: { amount: Minor; taxRatePpm: number } | null;
  /** Balances, used up in this order. */
  giftCards: readonly Minor[];
}

/** subtotal = unitPrice * quantity; total is what the line costs, tax included in both modes. */
export interface PricedLine {
  id: string;
  unitPrice: Minor;
  quantity: number;
  subtotal: Minor;
  discountTotal: Minor;
  taxTotal: Minor;
  total: Minor;
}

/** taxTotal holds the tax of the lines and of shipping; total is what is left to pay after gift cards. */
export interface Totals {
  subtotal: Minor;
  discountTotal: Minor;
  shippingTotal: Minor;
  shippingTaxTotal: Minor;
  taxTotal: Minor;
  giftCardTotal: Minor;
  total: Minor;
}

export interface Priced {
  lines: PricedLine[];
  totals: Totals;
  /** One for each discount, in its order; the amount is 0 when nothing was left to take it from. */
  promotions: { code: string | null; name: string; amount: Minor }[];
  /** What each gift card pays, in its order. */
  giftCards: Minor[];
}

/**
 * Prices a basket. Lines always add up to the totals, and no total is negative.
 * Throws RangeError on a quantity below one, a negative amount, a rate outside 0..1_000_000 ppm, an unknown currency,
 * or an amount that leaves the safe integer range.
 */
export function price(input: PricingInput): Priced {
  currencyExponent(input.currency);
  const subtotals = input.lines.map(lineSubtotal);
  const { promotions, nets } = applyDiscounts(subtotals, input.discounts);
  const lines = input.lines.map((line, index) =>
    priceLine(line, subtotals[index] ?? ZERO, nets[index] ?? ZERO, input.taxInclusive),
  );

  const shippingTotal = nonNegative(input.shipping?.amount ?? ZERO, 'shipping amount');
  const shippingTaxTotal = taxOn(shippingTotal, input.shipping?.taxRatePpm ?? 0, input.taxInclusive);
  const lineTotal = sum(lines.map((line) => line.total));
  const due = sum([lineTotal, shippingTotal, input.taxInclusive ? ZERO : shippingTaxTotal]);
  const giftCards = payWithGiftCards(due, input.giftCards);
  const giftCardTotal = sum(giftCards);

  return {
    lines,
    totals: {
      subtotal: sum(lines.map((line) => line.subtotal)),
      discountTotal: sum(lines.map((line) => line.discountTotal)),
      shippingTotal,
      shippingTaxTotal,
      taxTotal: sum([...lines.map((line) => line.taxTotal), shippingTaxTotal]),
      giftCardTotal,
      total: subtract(due, giftCardTotal),
    },
    promotions,
    giftCards,
  };
}

function lineSubtotal(line: PricingLine): Minor {
  if (!Number.isSafeInteger(line.quantity) || line.quantity < 1) {
    throw new RangeError(`line ${line.id}: quantity ${line.quantity} is not a whole number from 1`);
  }
  return multiply(nonNegative(line.unitPrice, `line ${line.id}: unit price`), line.quantity);
}

/** Takes each discount from what is left of the goods; `nets` is what is left of each line in the end. */
function applyDiscounts(
  subtotals: readonly Minor[],
  discounts: readonly Discount[],
): Pick<Priced, 'promotions'> & { nets: Minor[] } {
  let nets = [...subtotals];
  const promotions = discounts.map((discount) => {
    const amount = discountAmount(discount, sum(nets));
    const parts = allocate(amount, nets);
    nets = nets.map((net, index) => subtract(net, parts[index] ?? ZERO));
    return { code: discount.code, name: discount.name, amount };
  });
  return { promotions, nets };
}

function discountAmount(discount: Discount, left: Minor): Minor {
  switch (discount.kind) {
    case 'percent':
      return applyRate(left, discount.ratePpm);
    case 'fixed':
      return smaller(nonNegative(discount.amount, `discount ${discount.name}`), left);
  }
}

function priceLine(line: PricingLine, subtotal: Minor, net: Minor, taxInclusive: boolean): PricedLine {
  const taxTotal = taxOn(net, line.taxRatePpm, taxInclusive);
  return {
    id: line.id,
    unitPrice: line.unitPrice,
    quantity: line.quantity,
    subtotal,
    discountTotal: subtract(subtotal, net),
    taxTotal,
    total: taxInclusive ? net : sum([net, taxTotal]),
  };
}

/** The tax that goes on top of the amount, or the tax that a tax-inclusive amount contains. */
function taxOn(amount: Minor, ratePpm: number, taxInclusive: boolean): Minor {
  return taxInclusive ? subtract(amount, withoutRate(amount, ratePpm)) : applyRate(amount, ratePpm);
}

function payWithGiftCards(due: Minor, balances: readonly Minor[]): Minor[] {
  let left = due;
  return balances.map((balance) => {
    const paid = smaller(nonNegative(balance, 'gift card balance'), left);
    left = subtract(left, paid);
    return paid;
  });
}

function nonNegative(amount: Minor, what: string): Minor {
  if (amount < 0) throw new RangeError(`${what} is negative: ${amount}`);
  return minor(amount);
}
