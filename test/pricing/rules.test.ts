import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Discount, type Priced, type PricingInput, price } from '../../src/domains/pricing/rules.ts';
import { type Minor, PPM, minor, sum } from '../../src/platform/money.ts';

const TEN_PERCENT: Discount = { code: 'WELCOME10', name: '10 % off', kind: 'percent', ratePpm: 100_000 };

function basket(overrides: Partial<PricingInput> = {}): PricingInput {
  return {
    currency: 'USD',
    taxInclusive: false,
    lines: [
      { id: 'a', unitPrice: minor(1999), quantity: 2, taxRatePpm: 80_000 },
      { id: 'b', unitPrice: minor(505), quantity: 1, taxRatePpm: 0 },
    ],
    discounts: [],
    shipping: null,
    giftCards: [],
    ...overrides,
  };
}

function fixed(amount: number): Discount {
  return { code: null, name: `${amount} off`, kind: 'fixed', amount: minor(amount) };
}

describe('tax on top of the price', () => {
  test('a discount, two rates, shipping and a gift card', () => {
    const priced = price(
      basket({
        discounts: [TEN_PERCENT],
        shipping: { amount: minor(700), taxRatePpm: 80_000 },
        giftCards: [minor(1000)],
      }),
    );
    // Goods 3998 + 505 = 4503; 10 % is 450.3, so 450, of which 399.53 and 50.47 are due: 400 and 50.
    expect(priced.lines).toEqual([
      { id: 'a', unitPrice: 1999, quantity: 2, subtotal: 3998, discountTotal: 400, taxTotal: 288, total: 3886 },
      { id: 'b', unitPrice: 505, quantity: 1, subtotal: 505, discountTotal: 50, taxTotal: 0, total: 455 },
    ]);
    expect(priced.totals).toEqual({
      subtotal: 4503,
      discountTotal: 450,
      shippingTotal: 700,
      shippingTaxTotal: 56,
      taxTotal: 344,
      giftCardTotal: 1000,
      total: 4097,
    });
    expect(priced.promotions).toEqual([{ code: 'WELCOME10', name: '10 % off', amount: 450 }]);
  });
});

describe('tax within the price', () => {
  test('19 % is taken out of what the buyer pays', () => {
    const priced = price({
      currency: 'EUR',
      taxInclusive: true,
      lines: [{ id: 'a', unitPrice: minor(1190), quantity: 2, taxRatePpm: 190_000 }],
      discounts: [TEN_PERCENT],
      shipping: { amount: minor(595), taxRatePpm: 190_000 },
      giftCards: [],
    });
    expect(priced.lines).toEqual([
      { id: 'a', unitPrice: 1190, quantity: 2, subtotal: 2380, discountTotal: 238, taxTotal: 342, total: 2142 },
    ]);
    expect(priced.totals).toEqual({
      subtotal: 2380,
      discountTotal: 238,
      shippingTotal: 595,
      shippingTaxTotal: 95,
      taxTotal: 437,
      giftCardTotal: 0,
      total: 2737,
    });
  });
});

describe('discounts', () => {
  test('each applies to what the one before it left', () => {
    const lines = [{ id: 'a', unitPrice: minor(1000), quantity: 1, taxRatePpm: 0 }];
    const amounts = (discounts: Discount[]) => price(basket({ lines, discounts })).promotions.map((p) => p.amount);
    expect(amounts([fixed(500), TEN_PERCENT])).toEqual([500, 50]);
    expect(amounts([TEN_PERCENT, fixed(500)])).toEqual([100, 500]);
  });

  test('one that is larger than the goods takes the goods and no more, and the next gets nothing', () => {
    const priced = price(
      basket({ discounts: [fixed(9999), TEN_PERCENT], shipping: { amount: minor(700), taxRatePpm: 0 } }),
    );
    expect(priced.promotions.map((promotion) => promotion.amount)).toEqual([4503, 0]);
    expect(priced.lines.map((line) => line.total)).toEqual([0, 0]);
    expect(priced.totals.total).toBe(700);
  });
});

describe('gift cards', () => {
  test('are used up in turn, and pay no more than is due', () => {
    const priced = price(basket({ giftCards: [minor(4000), minor(4000), minor(4000)] }));
    expect(priced.giftCards).toEqual([4000, 823, 0]);
    expect(priced.totals).toMatchObject({ giftCardTotal: 4823, total: 0 });
  });
});

test('an empty basket costs nothing', () => {
  const priced = price(basket({ lines: [], discounts: [fixed(100), TEN_PERCENT], giftCards: [minor(100)] }));
  expect(Object.values(priced.totals).every((amount) => amount === 0)).toBe(true);
});

describe('input out of range is refused', () => {
  const line = { id: 'a', unitPrice: minor(100), quantity: 1, taxRatePpm: 0 };
  const unbranded = (amount: number): Minor => amount as Minor;
  test.each<[string, Partial<PricingInput>]>([
    ['no quantity', { lines: [{ ...line, quantity: 0 }] }],
    ['a negative quantity', { lines: [{ ...line, quantity: -1 }] }],
    ['half a piece', { lines: [{ ...line, quantity: 1.5 }] }],
    ['a negative price', { lines: [{ ...line, unitPrice: minor(-1) }] }],
    ['a price in fractions', { lines: [{ ...line, unitPrice: unbranded(0.1) }] }],
    ['a product past the safe range', { lines: [{ ...line, unitPrice: minor(2 ** 52), quantity: 3 }] }],
    ['a sum past the safe range', { lines: [line, { ...line, unitPrice: minor(Number.MAX_SAFE_INTEGER) }] }],
    ['a tax rate above one', { lines: [{ ...line, taxRatePpm: PPM + 1 }] }],
    ['a discount above everything', { discounts: [{ ...TEN_PERCENT, kind: 'percent', ratePpm: PPM + 1 }] }],
    ['a negative discount', { discounts: [fixed(-1)] }],
    ['a negative shipping price', { shipping: { amount: minor(-1), taxRatePpm: 0 } }],
    ['a fractional shipping price', { shipping: { amount: unbranded(1.5), taxRatePpm: 0 } }],
    ['a negative gift card', { giftCards: [minor(-1)] }],
    ['an unknown currency', { currency: 'XXX' }],
  ])('%s', (_, overrides) => {
    expect(() => price(basket(overrides))).toThrow(RangeError);
  });
});

describe('for any basket', () => {
  const ratePpm = fc.oneof(fc.constantFrom(0, 55_000, 70_000, 190_000, 200_000, PPM), fc.integer({ min: 0, max: PPM }));
  const amount = fc.oneof(fc.nat(20), fc.nat(100_000), fc.nat(1_000_000_000)).map(minor);
  const discount = fc.oneof(
    fc.record({ code: fc.constant('CODE'), name: fc.constant('p'), kind: fc.constant('percent' as const), ratePpm }),
    fc.record({ code: fc.constant(null), name: fc.constant('f'), kind: fc.constant('fixed' as const), amount }),
  );
  const line = fc.record({
    id: fc.uuid(),
    unitPrice: amount,
    quantity: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 100_000 })),
    taxRatePpm: ratePpm,
  });
  const input: fc.Arbitrary<PricingInput> = fc.record({
    currency: fc.constantFrom('USD', 'EUR', 'JPY', 'KWD'),
    taxInclusive: fc.boolean(),
    lines: fc.array(line, { maxLength: 20 }),
    discounts: fc.array(discount, { maxLength: 4 }),
    shipping: fc.option(fc.record({ amount, taxRatePpm: ratePpm })),
    giftCards: fc.array(amount, { maxLength: 3 }),
  });
  const runs = { numRuns: process.env.TEST_DEEP === undefined ? 500 : 50_000 };

  test('lines add up to the totals', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { lines, totals, promotions, giftCards } = price(given);
        const total = (pick: (line: Priced['lines'][number]) => Minor) => sum(lines.map(pick));
        expect(totals.subtotal).toBe(total((each) => each.subtotal));
        expect(totals.discountTotal).toBe(total((each) => each.discountTotal));
        expect(totals.discountTotal).toBe(sum(promotions.map((promotion) => promotion.amount)));
        expect(totals.taxTotal).toBe(total((each) => each.taxTotal) + totals.shippingTaxTotal);
        expect(totals.giftCardTotal).toBe(sum(giftCards));
        const onTop = given.taxInclusive ? 0 : totals.taxTotal;
        expect(totals.total).toBe(
          totals.subtotal - totals.discountTotal + totals.shippingTotal + onTop - totals.giftCardTotal,
        );
        for (const each of lines) {
          expect(each.subtotal).toBe(each.unitPrice * each.quantity);
          const tax = given.taxInclusive ? 0 : each.taxTotal;
          expect(each.total).toBe(each.subtotal - each.discountTotal + tax);
        }
      }),
      runs,
    );
  });

  test('nothing is negative, no line is discounted below zero, and contained tax is less than what contains it', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { lines, totals, promotions, giftCards } = price(given);
        const amounts = [
          ...Object.values(totals),
          ...promotions.map((promotion) => promotion.amount),
          ...giftCards,
          ...lines.flatMap((each) => [each.subtotal, each.discountTotal, each.taxTotal, each.total]),
        ];
        for (const each of amounts) expect(Number.isSafeInteger(each) && each >= 0 && !Object.is(each, -0)).toBe(true);
        for (const each of lines) {
          expect(each.discountTotal).toBeLessThanOrEqual(each.subtotal);
          if (given.taxInclusive && each.total > 0) expect(each.taxTotal).toBeLessThan(each.total);
        }
      }),
      runs,
    );
  });

  const shuffled = input.chain((given) =>
    fc.record({
      given: fc.constant(given),
      lines: fc.shuffledSubarray([...given.lines], { minLength: given.lines.length }),
    }),
  );

  test('the order of the lines does not change what the goods cost or what is taken off', () => {
    fc.assert(
      fc.property(shuffled, ({ given, lines }) => {
        const before = price(given);
        const after = price({ ...given, lines });
        expect(after.totals.subtotal).toBe(before.totals.subtotal);
        expect(after.totals.discountTotal).toBe(before.totals.discountTotal);
        expect(after.promotions).toEqual(before.promotions);
      }),
      runs,
    );
  });

  test('with one tax rate the order of the lines changes no total', () => {
    fc.assert(
      fc.property(shuffled, ratePpm, ({ given, lines }, taxRatePpm) => {
        const withRate = (some: PricingInput['lines']) => some.map((each) => ({ ...each, taxRatePpm }));
        const before = price({ ...given, lines: withRate(given.lines) });
        const after = price({ ...given, lines: withRate(lines) });
        expect(after.totals).toEqual(before.totals);
      }),
      runs,
    );
  });

  test('the same basket costs the same twice, and the input is left alone', () => {
    fc.assert(
      fc.property(input, (given) => {
        const copy = structuredClone(given);
        expect(price(given)).toEqual(price(given));
        expect(given).toEqual(copy);
      }),
      runs,
    );
  });
});
