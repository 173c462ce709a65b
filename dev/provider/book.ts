import { randomUUID } from 'node:crypto';
import {
  invalid,
  Refusal,
  type Charge,
  type Dispute,
  type EventType,
  type PaymentIntent,
  type Refund,
  type Subject,
} from './shapes.ts';

/** Refunds of this one take their time: see `closeRefund`. */
const SLOW_REFUND = 'tok_refund_pending';
/** The bank takes its time: see `closePayment`. */
const SLOW_PAYMENT = 'tok_processing';
const TOKENS = new Set([
  'tok_ok',
  'tok_declined',
  'tok_requires_action',
  'tok_error',
  'tok_timeout',
  SLOW_PAYMENT,
  SLOW_REFUND,
]);
/** What Stripe calls the cards of its test mode that do the same. */
const CARDS: Record<string, string> = {
  pm_card_visa: 'tok_ok',
  pm_card_visa_chargeDeclined: 'tok_declined',
  pm_card_threeDSecure2Required: 'tok_requires_action',
  pm_card_pendingRefund: SLOW_REFUND,
};
const DECLINED = {
  type: 'card_error',
  code: 'card_declined',
  decline_code: 'generic_decline',
  message: 'The card was declined.',
} as const;

/** The intents of one provider, in memory. `changed` is told of every state change, for the webhooks. */
export class Book {
  readonly intents = new Map<string, PaymentIntent>();
  readonly refunds: Refund[] = [];
  readonly disputes = new Map<string, Dispute>();
  readonly #baseUrl: () => string;
  readonly #changed: (type: EventType, subject: Subject) => void;
  readonly #slowRefunds = new Set<string>();

  constructor(baseUrl: () => string, changed: (type: EventType, subject: Subject) => void) {
    this.#baseUrl = baseUrl;
    this.#changed = changed;
  }

  /** Creates and confirms in one step; throws the card's refusal as a 402 that holds the intent. */
  create(params: URLSearchParams): PaymentIntent {
    const method = params.get('payment_method') ?? '';
    const token = CARDS[method] ?? method;
    if (!TOKENS.has(token)) throw invalid('payment_method', `There is no payment method ${token || '(none)'}.`);
    if (params.get('confirm') !== 'true')
      throw invalid('confirm', 'This provider only confirms at once: confirm=true.');
    const intent = newIntent(params);
    this.intents.set(intent.id, intent);
    if (token === SLOW_REFUND) this.#slowRefunds.add(intent.id);
    if (token === 'tok_requires_action') {
      intent.status = 'requires_action';
      const url = `${this.#baseUrl()}/authenticate/${intent.id}`;
      intent.next_action = { type: 'redirect_to_url', redirect_to_url: { url } };
    } else if (token === 'tok_declined') {
      this.#fail(intent, DECLINED);
      throw new Refusal(402, { ...DECLINED, payment_intent: structuredClone(intent) });
    } else if (token === SLOW_PAYMENT) {
      this.#changed('payment_intent.processing', intent);
    } else {
      this.#authorize(intent);
    }
    return intent;
  }

  get(id: string): PaymentIntent {
    const intent = this.intents.get(id);
    if (intent !== undefined) return intent;
    const message = `No such payment_intent: ${id}`;
    throw new Refusal(404, { type: 'invalid_request_error', code: 'resource_missing', param: 'intent', message });
  }

  /** Newest first; every given metadata pair must match. */
  list(metadata: Record<string, string>): PaymentIntent[] {
    const wanted = Object.entries(metadata);
    return [...this.intents.values()]
      .filter((intent) => wanted.every(([key, value]) => intent.metadata[key] === value))
      .reverse();
  }

  /** What the buyer does on the bank's page. */
  authenticate(id: string, success: boolean): PaymentIntent {
    const intent = this.#inState(id, ['requires_action']);
    intent.next_action = null;
    const message = 'The buyer did not authenticate.';
    if (success) this.#authorize(intent);
    else this.#fail(intent, { type: 'card_error', code: 'payment_intent_authentication_failure', message });
    return intent;
  }

  /** What the bank says in the end of a payment that it took its time over. */
  closePayment(id: string, status: 'succeeded' | 'failed'): PaymentIntent {
    const intent = this.#inState(id, ['processing']);
    const message = 'The bank refused it.';
    if (status === 'succeeded') this.#authorize(intent);
    else this.#fail(intent, { type: 'card_error', code: 'payment_intent_payment_attempt_failed', message });
    return intent;
  }

  /** Once only; what is not captured is released. */
  capture(id: string, params: URLSearchParams): PaymentIntent {
    const intent = this.#inState(id, ['requires_capture']);
    const amount = amountOf(params, 'amount_to_capture', intent.amount_capturable, intent.amount_capturable);
    intent.amount_received = amount;
    intent.amount_capturable = 0;
    intent.status = 'succeeded';
    this.#changed('payment_intent.succeeded', intent);
    return intent;
  }

  cancel(id: string): PaymentIntent {
    const open: PaymentIntent['status'][] = [
      'requires_payment_method',
      'requires_capture',
      'requires_action',
      'processing',
    ];
    const intent = this.#inState(id, open);
    intent.amount_capturable = 0;
    intent.next_action = null;
    intent.status = 'canceled';
    this.#changed('payment_intent.canceled', intent);
    return intent;
  }

  refund(params: URLSearchParams): Refund {
    const intent = this.#inState(params.get('payment_intent') ?? '', ['succeeded']);
    const left = intent.amount_received - intent.amount_refunded;
    if (left === 0) {
      const message = 'All that was captured has been refunded.';
      throw new Refusal(400, { type: 'invalid_request_error', code: 'charge_already_refunded', message });
    }
    const amount = amountOf(params, 'amount', left, left);
    intent.amount_refunded += amount;
    const refund: Refund = {
      id: newId('re'),
      object: 'refund',
      amount,
      currency: intent.currency,
      payment_intent: intent.id,
      status: this.#slowRefunds.has(intent.id) ? 'pending' : 'succeeded',
      metadata: metadataOf(params),
      created: now(),
    };
    this.refunds.push(refund);
    if (refund.status === 'pending') this.#changed('refund.created', refund);
    else this.#changed('charge.refunded', intent);
    return refund;
  }

  /** What becomes of a refund in the end: it may fail as well after it had succeeded. */
  closeRefund(id: string, status: 'succeeded' | 'failed'): Refund {
    const refund = this.refunds.find((each) => each.id === id);
    if (!refund || refund.status === 'failed') throw invalid('refund', `No such refund that could change: ${id}`);
    refund.status = status;
    if (status === 'failed') this.get(refund.payment_intent).amount_refunded -= refund.amount;
    this.#changed(status === 'failed' ? 'refund.failed' : 'refund.updated', refund);
    return refund;
  }

  /** Newest first. */
  refundsOf(intentId: string): Refund[] {
    return this.refunds.filter((refund) => refund.payment_intent === intentId).reverse();
  }

  /** The buyer's bank takes all of the money back, until `closeDispute`. */
  /** Of all that was captured, in its currency, unless told. */
  dispute(params: URLSearchParams): Dispute {
    const intent = this.#inState(params.get('payment_intent') ?? '', ['succeeded']);
    const dispute: Dispute = {
      id: newId('dp'),
      object: 'dispute',
      amount: Number(params.get('amount') ?? intent.amount_received),
      currency: params.get('currency') ?? intent.currency,
      payment_intent: intent.id,
      status: 'needs_response',
      // A dispute has none of its payment's: only the name of it tells whose it is.
      metadata: {},
      created: now(),
    };
    this.disputes.set(dispute.id, dispute);
    this.#changed('charge.dispute.created', dispute);
    return dispute;
  }

  closeDispute(id: string, status: 'won' | 'lost'): Dispute {
    const dispute = this.disputes.get(id);
    if (!dispute) throw invalid('dispute', `No such dispute: ${id}`);
    dispute.status = status;
    this.#changed('charge.dispute.closed', dispute);
    return dispute;
  }

  charges(): Charge[] {
    return [...this.intents.values()].map((intent) => ({
      id: intent.id,
      payment_id: intent.metadata['payment_id'],
      order_id: intent.metadata['order_id'],
      status: intent.status,
      currency: intent.currency,
      amount: intent.amount,
      captured: intent.amount_received,
      refunded: intent.amount_refunded,
    }));
  }

  #inState(id: string, states: PaymentIntent['status'][]): PaymentIntent {
    const intent = this.get(id);
    if (states.includes(intent.status)) return intent;
    const message = `The intent is ${intent.status}; this needs ${states.join(' or ')}.`;
    throw new Refusal(400, { type: 'invalid_request_error', code: 'payment_intent_unexpected_state', message });
  }

  #authorize(intent: PaymentIntent): void {
    if (intent.capture_method === 'manual') {
      intent.status = 'requires_capture';
      intent.amount_capturable = intent.amount;
      this.#changed('payment_intent.amount_capturable_updated', intent);
    } else {
      intent.status = 'succeeded';
      intent.amount_received = intent.amount;
      this.#changed('payment_intent.succeeded', intent);
    }
  }

  #fail(intent: PaymentIntent, error: NonNullable<PaymentIntent['last_payment_error']>): void {
    intent.status = 'requires_payment_method';
    intent.last_payment_error = error;
    this.#changed('payment_intent.payment_failed', intent);
  }
}

/** The pairs of `metadata[key]=value`. */
export function metadataOf(params: URLSearchParams): Record<string, string> {
  const pairs = [...params].flatMap(([name, value]) => {
    const key = /^metadata\[([^\]]+)\]$/.exec(name)?.[1];
    return key === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(pairs);
}

export function newId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '')}`;
}

export function now(): number {
  return Math.floor(Date.now() / 1000);
}

function newIntent(params: URLSearchParams): PaymentIntent {
  const currency = params.get('currency') ?? '';
  if (!/^[a-z]{3}$/.test(currency)) throw invalid('currency', 'Three lower-case letters.');
  const capture = params.get('capture_method') ?? 'automatic';
  if (capture !== 'automatic' && capture !== 'manual') throw invalid('capture_method', 'automatic or manual.');
  return {
    id: newId('pi'),
    object: 'payment_intent',
    amount: amountOf(params, 'amount'),
    amount_capturable: 0,
    amount_received: 0,
    amount_refunded: 0,
    currency,
    capture_method: capture,
    status: 'processing',
    next_action: null,
    last_payment_error: null,
    metadata: metadataOf(params),
    created: now(),
  };
}

/** A positive integer of minor units, at most `max`. */
function amountOf(params: URLSearchParams, name: string, absent?: number, max = 99_999_999_999): number {
  const text = params.get(name);
  if (text === null && absent !== undefined) return absent;
  if (text === null || !/^[1-9]\d{0,15}$/.test(text)) throw invalid(name, 'A positive integer of minor units.');
  if (Number(text) <= max) return Number(text);
  const message = `At most ${max}.`;
  throw new Refusal(400, { type: 'invalid_request_error', code: 'amount_too_large', param: name, message });
}
