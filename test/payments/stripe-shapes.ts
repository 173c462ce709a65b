import type { Stripe } from 'stripe';
import { STRIPE_API_VERSION } from '../../src/domains/payments/providers/stripe.ts';

/** A payment of Stripe whose life is over: authorized, captured, refunded in part, disputed, and the dispute won. */
export interface Life {
  /** Ours. */
  paymentId: string;
  /** Of all the names that Stripe gives. */
  suffix: string;
  amount: number;
  refunded: number;
}

const CREATED = 1_793_000_000;
const CURRENCY = 'usd';

function nulls<Name extends string>(...names: Name[]): Record<Name, null> {
  // Each name is given null, which is all that the type says.
  return Object.fromEntries(names.map((name) => [name, null])) as Record<Name, null>;
}

export const intentId = ({ suffix }: Life) => `pi_${suffix}`;
const chargeId = ({ suffix }: Life) => `ch_${suffix}`;

export function intentOf(life: Life, status: 'requires_capture' | 'succeeded'): Stripe.PaymentIntent {
  const isCaptured = status === 'succeeded';
  return {
    ...nulls('allowed_payment_method_types', 'application', 'application_fee_amount', 'automatic_payment_methods'),
    ...nulls('canceled_at', 'cancellation_reason', 'client_secret', 'customer', 'customer_account', 'description'),
    ...nulls('excluded_payment_method_types', 'last_payment_error', 'managed_payments', 'next_action', 'on_behalf_of'),
    ...nulls('payment_method', 'payment_method_configuration_details', 'payment_method_options', 'payment_record'),
    ...nulls('processing', 'receipt_email', 'review', 'setup_future_usage', 'shipping', 'source'),
    ...nulls('statement_descriptor', 'statement_descriptor_suffix', 'transfer_group'),
    id: intentId(life),
    object: 'payment_intent',
    amount: life.amount,
    amount_capturable: isCaptured ? 0 : life.amount,
    amount_received: isCaptured ? life.amount : 0,
    capture_method: 'manual',
    confirmation_method: 'automatic',
    created: CREATED,
    currency: CURRENCY,
    latest_charge: chargeId(life),
    livemode: false,
    metadata: { payment_id: life.paymentId },
    payment_method_types: ['card'],
    status,
  };
}

export function refundOf(life: Life): Stripe.Refund {
  return {
    ...nulls('balance_transaction', 'customer', 'customer_account', 'payment_method', 'reason', 'receipt_number'),
    ...nulls('source_transfer_reversal', 'transfer_reversal'),
    id: `re_${life.suffix}`,
    object: 'refund',
    amount: life.refunded,
    charge: chargeId(life),
    created: CREATED,
    currency: CURRENCY,
    // Made in the dashboard: it carries nothing of ours.
    metadata: {},
    payment_intent: intentId(life),
    status: 'succeeded',
  };
}

function chargeOf(life: Life): Stripe.Charge {
  return {
    ...nulls('application', 'application_fee', 'application_fee_amount', 'balance_transaction', 'customer'),
    ...nulls('calculated_statement_descriptor', 'description', 'failure_balance_transaction', 'failure_code'),
    ...nulls('failure_message', 'fraud_details', 'on_behalf_of', 'outcome', 'payment_method', 'payment_method_details'),
    ...nulls('receipt_email', 'receipt_number', 'receipt_url', 'review', 'shipping', 'source', 'source_transfer'),
    ...nulls('statement_descriptor', 'statement_descriptor_suffix', 'transfer_data', 'transfer_group'),
    id: chargeId(life),
    object: 'charge',
    amount: life.amount,
    amount_captured: life.amount,
    amount_refunded: life.refunded,
    billing_details: nulls('address', 'email', 'name', 'phone', 'tax_id'),
    captured: true,
    created: CREATED,
    currency: CURRENCY,
    disputed: false,
    livemode: false,
    // Stripe copies the metadata of the intent to its charge.
    metadata: { payment_id: life.paymentId },
    paid: true,
    payment_intent: intentId(life),
    refunded: false,
    status: 'succeeded',
  };
}

type DisputeShape = Omit<Stripe.Dispute, 'evidence' | 'evidence_details'>;

function disputeOf(life: Life, status: 'needs_response' | 'won'): DisputeShape {
  return {
    id: `du_${life.suffix}`,
    object: 'dispute',
    amount: life.amount,
    balance_transactions: [],
    charge: chargeId(life),
    created: CREATED,
    currency: CURRENCY,
    enhanced_eligibility_types: [],
    intended_submission_method: null,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: intentId(life),
    reason: 'fraudulent',
    status,
  };
}

/** What the handler is given of an event; the merchant's evidence of a dispute is no part of what it reads. */
type Shape<Event extends Stripe.Event> = Omit<Event, 'data'> & { data: { object: unknown } };

type SixShapes = [
  Shape<Stripe.PaymentIntentAmountCapturableUpdatedEvent>,
  Shape<Stripe.PaymentIntentSucceededEvent>,
  Shape<Stripe.ChargeRefundedEvent>,
  Shape<Stripe.RefundCreatedEvent>,
  Shape<Stripe.ChargeDisputeCreatedEvent>,
  Shape<Stripe.ChargeDisputeClosedEvent>,
];

/** The six events that tell of this life, in the order in which it happened. */
export function eventsOf(life: Life): SixShapes {
  const about = (kind: string, object: unknown) => ({
    id: `evt_${kind}_${life.suffix}`,
    object: 'event' as const,
    api_version: STRIPE_API_VERSION,
    created: CREATED,
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: null,
  });
  return [
    { ...about('a', intentOf(life, 'requires_capture')), type: 'payment_intent.amount_capturable_updated' },
    { ...about('b', intentOf(life, 'succeeded')), type: 'payment_intent.succeeded' },
    { ...about('c', chargeOf(life)), type: 'charge.refunded' },
    { ...about('d', refundOf(life)), type: 'refund.created' },
    { ...about('e', disputeOf(life, 'needs_response')), type: 'charge.dispute.created' },
    { ...about('f', disputeOf(life, 'won')), type: 'charge.dispute.closed' },
  ];
}
