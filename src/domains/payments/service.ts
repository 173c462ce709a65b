import { AppError } from '../../platform/errors.ts';
import type { Deps } from '../../platform/deps.ts';
import type { PaymentProvider } from './provider.ts';
import { createStripeProvider } from './providers/stripe.ts';
import { createTestProvider } from './providers/test.ts';

export type ProviderName = 'test' | 'manual' | 'stripe';

function unavailable(): AppError {
  return new AppError('provider_unavailable', 'This payment provider is not available here.', {
    param: 'payment.provider',
  });
}

function testProvider({ config, clock, trips }: Deps): PaymentProvider | null {
  const { ENVIRONMENT, PAYMENT_TEST_URL, PAYMENT_TEST_SECRET, PAYMENT_TEST_WEBHOOK_SECRET } = config;
  const isConfigured = PAYMENT_TEST_URL && PAYMENT_TEST_SECRET && PAYMENT_TEST_WEBHOOK_SECRET;
  if (ENVIRONMENT === 'production' || !isConfigured) return null;
  const options = {
    url: PAYMENT_TEST_URL,
    apiKey: PAYMENT_TEST_SECRET,
    webhookSecret: PAYMENT_TEST_WEBHOOK_SECRET,
    timeoutMs: config.PAYMENT_TIMEOUT_MS,
  };
  return createTestProvider(options, clock, trips);
}

function stripe({ config, clock, trips }: Deps): PaymentProvider | null {
  const { STRIPE_API_BASE, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET, STRIPE_RETURN_URL } = config;
  if (!STRIPE_SECRET_KEY || !STRIPE_WEBHOOK_SECRET || !STRIPE_RETURN_URL) return null;
  const options = {
    apiBase: STRIPE_API_BASE,
    secretKey: STRIPE_SECRET_KEY,
    webhookSecret: STRIPE_WEBHOOK_SECRET,
    returnUrl: STRIPE_RETURN_URL,
    timeoutMs: config.PAYMENT_TIMEOUT_MS,
  };
  return createStripeProvider(options, clock, trips);
}

/** Null where it is not set up; `manual` never is, since nobody outside has to be asked. */
export function providerIfAvailable(deps: Deps, name: ProviderName): PaymentProvider | null {
  switch (name) {
    case 'test':
      return testProvider(deps);
    case 'stripe':
      return stripe(deps);
    case 'manual':
      return null;
  }
}

/** The provider that takes cards here. Throws provider_unavailable where it is not set up. */
export function onlineProvider(deps: Deps, name: ProviderName): PaymentProvider {
  const provider = providerIfAvailable(deps, name);
  if (!provider) throw unavailable();
  return provider;
}

/** Before anything is written. Throws provider_unavailable for a currency, validation_failed for a total in minor units. */
export function assertPayable(provider: PaymentProvider, total: number, currency: string): void {
  const wrong = total === 0 ? null : provider.unpayable(total, currency);
  if (wrong === 'currency') throw unavailable();
  if (wrong !== 'amount') return;
  const message = `This provider takes ${currency} in whole tens of its smallest unit only, and ${total} is none.`;
  throw new AppError('validation_failed', message, { param: 'total', members: { total, currency } });
}

/** Bank transfer and cash on delivery: no outside call, and each market decides whether it takes them. */
export function assertManualAllowed(market: { manual_payments: boolean }): void {
  if (!market.manual_payments) throw unavailable();
}
