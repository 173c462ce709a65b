export interface PaymentIntent {
  id: string;
  object: 'payment_intent';
  /** Minor units, as are all amounts here. */
  amount: number;
  amount_capturable: number;
  amount_received: number;
  amount_refunded: number;
  currency: string;
  capture_method: 'automatic' | 'manual';
  status: 'succeeded' | 'requires_capture' | 'requires_action' | 'processing' | 'canceled' | 'requires_payment_method';
  next_action: { type: 'redirect_to_url'; redirect_to_url: { url: string } } | null;
  last_payment_error: { type: 'card_error'; code: string; decline_code?: string; message: string } | null;
  metadata: Record<string, string>;
  /** Unix seconds. */
  created: number;
}

export interface Refund {
  id: string;
  object: 'refund';
  amount: number;
  currency: string;
  payment_intent: string;
  status: 'succeeded' | 'pending' | 'failed';
  metadata: Record<string, string>;
  created: number;
}

/** A buyer's bank takes money back. */
export interface Dispute {
  id: string;
  object: 'dispute';
  amount: number;
  currency: string;
  payment_intent: string;
  status: 'needs_response' | 'won' | 'lost';
  metadata: Record<string, string>;
  created: number;
}

/** What an event is about. */
export type Subject = PaymentIntent | Refund | Dispute;

export type EventType =
  | 'payment_intent.processing'
  | 'payment_intent.succeeded'
  | 'payment_intent.payment_failed'
  | 'payment_intent.amount_capturable_updated'
  | 'payment_intent.canceled'
  | 'charge.refunded'
  | 'refund.created'
  | 'refund.updated'
  | 'refund.failed'
  | 'charge.dispute.created'
  | 'charge.dispute.closed';

/** What a shop's auditor would ask for: one line for each intent. */
export interface Charge {
  id: string;
  payment_id: string | undefined;
  order_id: string | undefined;
  status: PaymentIntent['status'];
  currency: string;
  amount: number;
  captured: number;
  refunded: number;
}

/** A refusal in the provider's error shape: { error: { type, code?, param?, message, ... } }. */
export class Refusal extends Error {
  readonly status: number;
  readonly error: Record<string, unknown>;

  constructor(status: number, error: { type: string; message: string } & Record<string, unknown>) {
    super(error.message);
    this.status = status;
    this.error = error;
  }
}

export function invalid(param: string, message: string): Refusal {
  return new Refusal(400, { type: 'invalid_request_error', param, message });
}
