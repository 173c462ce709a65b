import { AppError } from '../../platform/errors.ts';
import type { Deps } from '../../platform/deps.ts';
import type { PaymentProvider } from './provider.ts';
import { createTestProvider } from './providers/test.ts';

export type ProviderName = 'test' | 'manual' | 'stripe';

function unavailable(): AppError {
  return new AppError('provider_unavailable', 'This payment provider is not available here.', {
    param: 'payment.provider',
  });
}

/** Null where it is not set up; `manual` never is, since nobody outside has to be asked. */
export function providerIfAvailable({ config, clock, trips }: Deps, name: ProviderName): PaymentProvider | null {
  const { ENVIRONMENT, PAYMENT_TEST_URL, PAYMENT_TEST_SECRET, PAYMENT_TEST_WEBHOOK_SECRET } = config;
  const isConfigured = PAYMENT_TEST_URL && PAYMENT_TEST_SECRET && PAYMENT_TEST_WEBHOOK_SECRET;
  if (name !== 'test' || ENVIRONMENT === 'production' || !isConfigured) return null;
  return createTestProvider(
    {
      url: PAYMENT_TEST_URL,
      apiKey: PAYMENT_TEST_SECRET,
      webhookSecret: PAYMENT_TEST_WEBHOOK_SECRET,
      timeoutMs: config.PAYMENT_TIMEOUT_MS,
    },
    clock,
    trips,
  );
}

/** The provider that takes cards here. Throws provider_unavailable where it is not set up. */
export function onlineProvider(deps: Deps, name: ProviderName): PaymentProvider {
  const provider = providerIfAvailable(deps, name);
  if (!provider) throw unavailable();
  return provider;
}

/** Bank transfer and cash on delivery: no outside call, and each market decides whether it takes them. */
export function assertManualAllowed(market: { manual_payments: boolean }): void {
  if (!market.manual_payments) throw unavailable();
}
