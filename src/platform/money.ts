/**
 * Money is a whole number of minor units (cents, yen, fils). No float touches an amount: products are taken in BigInt,
 * and one function rounds.
 */

declare const minorUnits: unique symbol;

/** A whole number of minor units that a double holds exactly. */
export type Minor = number & { readonly [minorUnits]: true };

/** One million: rates are integers in parts per million, so 19 % is 190_000. */
export const PPM = 1_000_000;

/** Brands a whole number of minor units. Throws RangeError on a fraction, NaN or anything past 2^53 - 1. */
export function minor(amount: number): Minor {
  if (!Number.isSafeInteger(amount)) throw new RangeError(`not a whole number of minor units: ${amount}`);
  // -0 would reach JSON as 0 but fail Object.is and deep equality on the way.
  const whole = amount === 0 ? 0 : amount;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place that brands; the check is above
  return whole as Minor;
}

export const ZERO: Minor = minor(0);

/** Adds amounts; nothing adds up to zero. Throws RangeError when a partial sum leaves the safe range. */
export function sum(amounts: Iterable<Minor>): Minor {
  let total = ZERO;
  for (const amount of amounts) total = minor(total + amount);
  return total;
}

/** a - b. Throws RangeError outside the safe range. */
export function subtract(a: Minor, b: Minor): Minor {
  return minor(a - b);
}

/** The price of `quantity` pieces. Throws RangeError when the quantity is not an integer or the product is not safe. */
export function multiply(unitAmount: Minor, quantity: number): Minor {
  if (!Number.isSafeInteger(quantity)) throw new RangeError(`not a whole quantity: ${quantity}`);
  // A product past 2^53 rounds to an unsafe double, so checking the result is enough.
  return minor(unitAmount * quantity);
}

export function smaller(a: Minor, b: Minor): Minor {
  return a < b ? a : b;
}

/**
 * amount * numerator / denominator, rounded half away from zero. The only place where an amount is rounded.
 * Throws RangeError unless numerator >= 0 and denominator > 0 are safe integers and the result is safe.
 */
export function scale(amount: Minor, numerator: number, denominator: number): Minor {
  if (!isCount(numerator)) throw new RangeError(`not a numerator: ${numerator}`);
  if (!isCount(denominator) || denominator === 0) throw new RangeError(`not a denominator: ${denominator}`);
  const divisor = BigInt(denominator);
  const product = BigInt(Math.abs(amount)) * BigInt(numerator);
  const rounded = Number((2n * product + divisor) / (2n * divisor));
  return minor(amount < 0 ? -rounded : rounded);
}

/** The part of an amount that a rate makes: 19 % of 1000 is applyRate(1000, 190_000) = 190. Rates run from 0 to PPM. */
export function applyRate(amount: Minor, ratePpm: number): Minor {
  requireRate(ratePpm);
  return scale(amount, ratePpm, PPM);
}

/** What was the amount before the rate was added to it: withoutRate(1190, 190_000) = 1000. Rates run from 0 to PPM. */
export function withoutRate(amount: Minor, ratePpm: number): Minor {
  requireRate(ratePpm);
  return scale(amount, PPM, PPM + ratePpm);
}

/**
 * Splits a total over weights by the largest remainder: the parts add up to the total, each is within one unit of its
 * exact share, a heavier weight never gets less, and a zero weight gets nothing. Of equal remainders the heavier weight
 * wins, then the earlier, so that the order of the weights never changes the set of parts. A negative total is split
 * like its positive. Throws RangeError on a bad weight, and when a total that is not zero has no weight to go to.
 */
export function allocate(total: Minor, weights: readonly number[]): Minor[] {
  const bad = weights.find((weight) => !isCount(weight));
  if (bad !== undefined) throw new RangeError(`not a weight: ${bad}`);
  if (total === 0) return weights.map(() => ZERO);
  const weightTotal = weights.reduce((all, weight) => all + BigInt(weight), 0n);
  if (weightTotal === 0n) throw new RangeError(`no weight to allocate ${total} to`);

  const size = BigInt(Math.abs(total));
  const shares = weights.map((weight, index) => {
    const exact = size * BigInt(weight);
    return { index, weight, part: Number(exact / weightTotal), remainder: exact % weightTotal };
  });
  let left = Math.abs(total);
  for (const share of shares) left -= share.part;
  const byRemainder = [...shares].sort(
    (a, b) => compare(b.remainder, a.remainder) || b.weight - a.weight || a.index - b.index,
  );
  for (const share of byRemainder.slice(0, left)) share.part += 1;
  return shares.map(({ part }) => minor(total < 0 ? -part : part));
}

// ISO 4217 (SIX, List One): active codes by their number of minor digits. Funds, metals and test codes are left out.
const CODES_BY_EXPONENT: readonly (readonly [exponent: number, codes: string])[] = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'],
  [
    2,
    `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
    CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
    KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB
    PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY
    TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG`,
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
];

const EXPONENTS: ReadonlyMap<string, number> = new Map(
  CODES_BY_EXPONENT.flatMap(([exponent, codes]) => codes.split(/\s+/).map((code) => [code, exponent] as const)),
);

/** Every currency code that amounts may carry, in upper case. */
export const CURRENCIES: readonly string[] = [...EXPONENTS.keys()];

/** The number of minor digits of an ISO 4217 code: USD 2, JPY 0, KWD 3. Throws RangeError on any other code. */
export function currencyExponent(currency: string): number {
  const exponent = EXPONENTS.get(currency);
  if (exponent === undefined) throw new RangeError(`not a known currency: ${currency}`);
  return exponent;
}

/** The amount in major units as a double: for people and metrics, never to calculate with. */
export function toMajor(amount: Minor, currency: string): number {
  return amount / 10 ** currencyExponent(currency);
}

function requireRate(ratePpm: number): void {
  if (!isCount(ratePpm) || ratePpm > PPM) throw new RangeError(`not a rate from 0 to ${PPM} ppm: ${ratePpm}`);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
