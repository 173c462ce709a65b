import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CURRENCIES,
  type Minor,
  PPM,
  allocate,
  applyRate,
  currencyExponent,
  minor,
  multiply,
  scale,
  subtract,
  sum,
  toMajor,
  withoutRate,
} from '../../src/platform/money.ts';

const MAX = Number.MAX_SAFE_INTEGER;
const anyAmount = fc.maxSafeInteger().map(minor);
const ratePpm = fc.oneof(fc.constantFrom(0, 1, 70_000, 190_000, 500_000, PPM), fc.integer({ min: 0, max: PPM }));

describe('amounts', () => {
  test.each([0.1, -1.5, NaN, Infinity, MAX + 1, -MAX - 1])('%s is not an amount', (value) => {
    expect(() => minor(value)).toThrow(RangeError);
  });

  test('minus zero becomes zero', () => {
    expect(Object.is(minor(-0), 0)).toBe(true);
    expect(Object.is(applyRate(minor(-1), 0), 0)).toBe(true);
    expect(Object.is(multiply(minor(-3), 0), 0)).toBe(true);
  });

  test('sums, differences and products that a double cannot hold are refused, not rounded', () => {
    expect(sum([])).toBe(0);
    expect(sum([minor(1), minor(2), minor(-5)])).toBe(-2);
    expect(() => sum([minor(MAX), minor(1)])).toThrow(RangeError);
    expect(() => subtract(minor(-MAX), minor(1))).toThrow(RangeError);
    expect(() => multiply(minor(MAX), 2)).toThrow(RangeError);
    expect(() => multiply(minor(100), 1.5)).toThrow(RangeError);
    expect(multiply(minor(1999), 3)).toBe(5997);
  });
});

describe('rounding', () => {
  test.each([
    [5, 100_000, 1], // 0.5 goes up
    [4, 100_000, 0], // 0.4 goes down
    [-5, 100_000, -1], // and away from zero on the negative side
    [-4, 100_000, 0],
    [1005, 100_000, 101], // 100.5, where 10.05 * 10 % in doubles is 1.00499999
    [15, 100_000, 2], // not half to even, which would also be 2
    [25, 100_000, 3], // not half to even, which would be 2
    [1000, 190_000, 190],
    [1000, 0, 0],
    [1000, PPM, 1000],
  ])('applyRate(%i, %i) is %i', (amount, rate, expected) => {
    expect(applyRate(minor(amount), rate)).toBe(expected);
  });

  test.each([
    [1190, 190_000, 1000],
    [107, 70_000, 100],
    [1, PPM, 1], // 0.5 goes up: no tax in a single cent
    [100, 0, 100],
  ])('withoutRate(%i, %i) is %i', (amount, rate, expected) => {
    expect(withoutRate(minor(amount), rate)).toBe(expected);
  });

  test.each([-1, PPM + 1, 0.5, NaN])('%s is not a rate', (rate) => {
    expect(() => applyRate(minor(1), rate)).toThrow(RangeError);
    expect(() => withoutRate(minor(1), rate)).toThrow(RangeError);
  });

  test('a fraction needs whole, positive parts and a result in range', () => {
    expect(() => scale(minor(1), 1, 0)).toThrow(RangeError);
    expect(() => scale(minor(1), 1, -1)).toThrow(RangeError);
    expect(() => scale(minor(1), -1, 1)).toThrow(RangeError);
    expect(() => scale(minor(MAX), 2, 1)).toThrow(RangeError);
  });

  test('the result is within half a unit of the exact value, and a half goes away from zero', () => {
    fc.assert(
      fc.property(anyAmount, ratePpm, (amount, rate) => {
        // 2 * ppm * |error|, kept in integers: at most ppm, and equal to it only when rounded outwards.
        const exact = BigInt(amount) * BigInt(rate);
        const rounded = BigInt(applyRate(amount, rate)) * BigInt(PPM);
        const doubleError = 2n * abs(rounded - exact);
        expect(doubleError <= BigInt(PPM)).toBe(true);
        if (doubleError === BigInt(PPM)) expect(abs(rounded) > abs(exact)).toBe(true);
      }),
    );
  });

  test('rounding is symmetric around zero and never turns with a growing amount', () => {
    fc.assert(
      fc.property(anyAmount, anyAmount, ratePpm, (a, b, rate) => {
        expect(applyRate(minor(-a), rate)).toBe(minor(-applyRate(a, rate)));
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(applyRate(low, rate)).toBeLessThanOrEqual(applyRate(high, rate));
      }),
    );
  });

  test('taking a rate off undoes putting it on', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 51 }).map(minor), ratePpm, (net, rate) => {
        expect(withoutRate(sum([net, applyRate(net, rate)]), rate)).toBe(net);
      }),
    );
  });
});

describe('allocation', () => {
  const weights = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5 }), fc.nat(MAX)), {
    minLength: 1,
    maxLength: 30,
  });
  const split = fc.record({ total: anyAmount, weights: weights.filter((all) => all.some((weight) => weight > 0)) });

  test.each([
    [100, [1, 1, 1], [34, 33, 33]], // the earlier line takes the odd cent
    [101, [1, 1, 1], [34, 34, 33]],
    [-100, [1, 1, 1], [-34, -33, -33]],
    [10, [0, 3, 0, 7], [0, 3, 0, 7]],
    [1, [0, 0, 1], [0, 0, 1]],
    [5, [1, 2, 7], [0, 1, 4]], // exact 0.5, 1.0, 3.5: of equal halves the heavier takes the cent
    [5, [7, 2, 1], [4, 1, 0]],
    [0, [0, 0], [0, 0]],
    [0, [], []],
  ])('%i over %j is %j', (total, by, expected) => {
    expect(allocate(minor(total), by)).toEqual(expected);
  });

  test('an amount with nowhere to go, and bad weights, are refused', () => {
    expect(() => allocate(minor(1), [])).toThrow(RangeError);
    expect(() => allocate(minor(1), [0, 0])).toThrow(RangeError);
    expect(() => allocate(minor(1), [1, -1])).toThrow(RangeError);
    expect(() => allocate(minor(1), [0.5])).toThrow(RangeError);
  });

  test('the parts add up to the total, and each is less than one unit from its exact share', () => {
    fc.assert(
      fc.property(split, ({ total, weights: by }) => {
        const parts = allocate(total, by);
        expect(parts.reduce((all, part) => all + BigInt(part), 0n)).toBe(BigInt(total));
        const all = by.reduce((acc, weight) => acc + BigInt(weight), 0n);
        for (const [index, part] of parts.entries()) {
          const exact = BigInt(total) * BigInt(at(by, index));
          expect(abs(BigInt(part) * all - exact) < all).toBe(true);
        }
      }),
    );
  });

  test('a heavier weight never gets less, a zero weight gets nothing, equal weights differ by one at most', () => {
    fc.assert(
      fc.property(split, ({ total, weights: by }) => {
        const parts = allocate(total, by).map((part) => Math.abs(part));
        const pairs = by.map((weight, index) => ({ weight, part: at(parts, index) }));
        pairs.sort((a, b) => a.weight - b.weight || a.part - b.part);
        for (const [index, { weight, part }] of pairs.entries()) {
          if (weight === 0) expect(part).toBe(0);
          const next = pairs[index + 1];
          if (next === undefined) continue;
          expect(next.part).toBeGreaterThanOrEqual(part);
          if (next.weight === weight) expect(next.part - part).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test('the order of the weights does not change which parts there are', () => {
    const shuffled = split.chain(({ total, weights: by }) =>
      fc.record({
        total: fc.constant(total),
        by: fc.constant(by),
        other: fc.shuffledSubarray(by, { minLength: by.length }),
      }),
    );
    const sorted = (parts: Minor[]) => parts.toSorted((a, b) => a - b);
    fc.assert(
      fc.property(shuffled, ({ total, by, other }) => {
        expect(sorted(allocate(total, other))).toEqual(sorted(allocate(total, by)));
      }),
    );
  });

  test('no part is larger than its weight while the total fits the weights', () => {
    const amounts = fc.array(fc.nat(10_000), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(amounts, fc.nat(PPM), (by, rate) => {
        const total = applyRate(sum(by.map(minor)), rate);
        for (const [index, part] of allocate(total, by).entries()) expect(part).toBeLessThanOrEqual(at(by, index));
      }),
    );
  });
});

describe('currencies', () => {
  test.each([
    ['JPY', 0],
    ['USD', 2],
    ['EUR', 2],
    ['KWD', 3],
  ])('%s has %i minor digits', (code, exponent) => {
    expect(currencyExponent(code)).toBe(exponent);
  });

  test.each(['', 'usd', 'XXX', 'XAU', 'BTC', 'USDT', 'toString'])('%j is refused', (code) => {
    expect(() => currencyExponent(code)).toThrow(RangeError);
  });

  test('every code is listed once, is a current one, and has at least the digits that people use', () => {
    const known = new Set(Intl.supportedValuesOf('currency'));
    expect(new Set(CURRENCIES).size).toBe(CURRENCIES.length);
    for (const code of CURRENCIES) {
      expect([code, known.has(code)]).toEqual([code, true]);
      // CLDR follows usage, which drops digits that ISO 4217 still has (AFN 0 for 2), but never adds any.
      const { maximumFractionDigits } = new Intl.NumberFormat('en', {
        style: 'currency',
        currency: code,
      }).resolvedOptions();
      expect([code, currencyExponent(code) >= (maximumFractionDigits ?? 0)]).toEqual([code, true]);
    }
  });

  test('major units follow the currency', () => {
    expect(toMajor(minor(1999), 'EUR')).toBe(19.99);
    expect(toMajor(minor(1999), 'JPY')).toBe(1999);
    expect(toMajor(minor(1999), 'KWD')).toBe(1.999);
  });
});

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function at<T extends number | Minor>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new Error(`nothing at ${index}`);
  return value;
}
