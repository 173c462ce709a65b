/**
 * Stripe counts these in another unit than ISO 4217: MGA in wholes, ISK and UGX in hundredths, and the thousandths of
 * IQD and LYD it does not have. https://docs.stripe.com/currencies#minor-units
 */
const OTHER_UNITS = new Set(['MGA', 'ISK', 'UGX', 'IQD', 'LYD']);

/** Counted in thousandths, of which Stripe takes whole tens: https://docs.stripe.com/currencies#three-decimal */
export const IN_TENS: readonly string[] = ['BHD', 'JOD', 'KWD', 'OMR', 'TND'];

/** Why Stripe cannot take this many minor units of a currency; null when it can. */
export function unpayable(amount: number, currency: string): 'currency' | 'amount' | null {
  if (OTHER_UNITS.has(currency)) return 'currency';
  return IN_TENS.includes(currency) && amount % 10 !== 0 ? 'amount' : null;
}

/** What amounts of a payment come in, in minor units: the provider takes and gives back multiples of it only. */
export function stepOf(provider: string, currency: string): number {
  return provider === 'stripe' && IN_TENS.includes(currency) ? 10 : 1;
}
