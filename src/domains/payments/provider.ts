/** What a provider says of a payment. Amounts are integer minor units of the payment's currency. */
export type Outcome =
  | { status: 'captured'; reference: string; amount: number; currency: string }
  | { status: 'authorized'; reference: string; amount: number; currency: string }
  | { status: 'requires_action'; reference: string; nextAction: NextAction }
  | { status: 'processing'; reference: string }
  | { status: 'declined'; reference: string | null; reason: string }
  /** No answer that can be trusted: the money may have moved. Everything is kept and asked again. */
  | { status: 'unknown'; cause: string };

export interface NextAction {
  type: 'redirect_to_url';
  url: string;
}

export interface Charge {
  /** Ours, made before the first call: the provider's idempotency key, the same in every retry. */
  paymentId: string;
  orderId: string;
  amount: number;
  currency: string;
  capture: 'automatic' | 'manual';
  token: string;
}

export interface WebhookEvent {
  id: string;
  type: string;
  paymentId: string | null;
}

/** A payment service, in the shape of Stripe's PaymentIntents. Calls are made outside any transaction and never throw. */
export interface PaymentProvider {
  /** Idempotent by `paymentId`: repeated, it answers what the first call did. */
  pay(charge: Charge): Promise<Outcome>;
  /** The state now, by the provider's own reference. */
  find(reference: string): Promise<Outcome>;
  /** Gives a payment up that waits for its buyer; one that has gone through stays as it is. */
  cancel(reference: string): Promise<Outcome>;
  /** Returns all of the money; repeated, it answers what the first call did. False when that is not certain. */
  refund(reference: string): Promise<boolean>;
  /** Null when signature or timestamp do not hold. */
  readWebhook(headers: Headers, body: string): Promise<WebhookEvent | null>;
}
