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

/** What came of asking for a capture, a void or a refund. */
export type RequestOutcome =
  | { status: 'success'; reference: string | null }
  | { status: 'failure'; reference: string | null; reason: string }
  /** No answer that can be trusted; asking again under the same key is safe. */
  | { status: 'unknown'; cause: string };

/** A buyer's bank took money back, or gave it up; `reference` is the provider's own id of the dispute. */
export interface Dispute {
  reference: string;
  status: 'opened' | 'won' | 'lost';
  amount: number;
}

export interface WebhookEvent {
  id: string;
  type: string;
  paymentId: string | null;
  /** The provider's name of the payment, where the event does not carry ours. */
  paymentReference: string | null;
  dispute: Dispute | null;
}

/** Money that the provider has given back, by its own id; amounts in minor units. */
export interface ProviderRefund {
  reference: string;
  amount: number;
  /** Ours, when it was asked for by us. */
  requestId: string | null;
}

/** A payment service, in the shape of Stripe's PaymentIntents. Calls are made outside any transaction and never throw. */
export interface PaymentProvider {
  /** Idempotent by `paymentId`: repeated, it answers what the first call did. */
  pay(charge: Charge): Promise<Outcome>;
  /** The state now, by the provider's own reference. */
  find(reference: string): Promise<Outcome>;
  /** Takes `amount` of what was authorized. `key` makes each of these three safe to repeat. */
  capture(reference: string, request: { amount: number; key: string }): Promise<RequestOutcome>;
  /** Gives a payment up that is authorized or waits for its buyer; one that has gone through stays as it is. */
  void(reference: string, request: { key: string }): Promise<RequestOutcome>;
  refund(reference: string, request: { amount: number; key: string }): Promise<RequestOutcome>;
  /** All refunds that went through, whoever asked for them; null when the provider does not say. */
  refunds(reference: string): Promise<ProviderRefund[] | null>;
  /** Null when signature or timestamp do not hold. */
  readWebhook(headers: Headers, body: string): Promise<WebhookEvent | null>;
}
