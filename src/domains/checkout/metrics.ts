import type { Deps } from '../../platform/deps.ts';
import type { Outcome } from '../payments/index.ts';
import type { TakenOrder } from './queries.ts';

/** `total` in minor units of `currency`. Called by the one attempt whose batch confirmed the order. */
export function countOrder({ metrics }: Deps, { currency, total }: { currency: string; total: number }): void {
  metrics.count('ecommerce_orders_created_total', []);
  metrics.observe('ecommerce_order_value_dollars', total, [currency]);
  metrics.count('ecommerce_checkout_step_total', ['order_placed']);
}

/** Reasons are the provider's own words; those we do not know are one series. */
const REASONS = new Set([
  'generic_decline',
  'insufficient_funds',
  'expired_card',
  'incorrect_cvc',
  'authentication_failed',
  'canceled',
]);

export function countOutcome(deps: Deps, order: TakenOrder, outcome: Outcome): void {
  const { metrics } = deps;
  const { provider } = order.payment;
  switch (outcome.status) {
    case 'captured':
    case 'authorized':
      metrics.count('ecommerce_payments_processed_total', [provider]);
      countOrder(deps, order);
      return;
    case 'declined':
      metrics.count('ecommerce_payments_failed_total', [provider]);
      metrics.count('ecommerce_payment_failure_reasons_total', [
        provider,
        REASONS.has(outcome.reason) ? outcome.reason : 'other',
      ]);
      return;
    case 'unknown':
      metrics.count('ecommerce_payments_in_doubt_total', [provider]);
      return;
    case 'requires_action':
    case 'processing':
  }
}
