/** What a provider says of a payment. Amounts are integer minor units of the payment's currency. */
export type Outcome =
  /** `amount` of what was `intended`: less, when somebody took only a part of it. */
  | { status: 'captured'; reference: string; amount: number; intended: number; currency: string }
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
  /** Null: the payment's. */
  currency: string | null;
}

export interface WebhookEvent {
  id: string;
  type: string;
  paymentId: string | null;
  /** The provider's name of the payment, where the event does not carry ours. Neither: it is about something else. */
  paymentReference: string | null;
  dispute: Dispute | null;
}

/** Money that the provider gives back, by its own id; amounts in minor units. */
export interface ProviderRefund {
  reference: string;
  amount: number;
  status: 'succeeded' | 'pending' | 'failed';
  /** Ours, when it was asked for by us. */
  requestId: string | null;
}

/** A refund may take its time: until it has gone through or not, nothing is known of it. */
export function outcomeOfRefund({ reference, status }: ProviderRefund): RequestOutcome {
  if (status === 'succeeded') return { status: 'success', reference };
  if (status === 'failed') return { status: 'failure', reference, reason: 'refund_failed' };
  return { status: 'unknown', cause: 'the refund is under way' };
}

/** A payment service, in the shape of Stripe's PaymentIntents. Calls are made outside any transaction and never throw. */
export interface PaymentProvider {
  /** Why it cannot take this many minor units of a currency, whoever pays; null when it can. */
  unpayable(amount: number, currency: string): 'currency' | 'amount' | null;
  /** Idempotent by `paymentId`: repeated, it answers what the first call did. */
  pay(charge: Charge): Promise<Outcome>;
  /** The state now, by the provider's own reference. */
  find(reference: string): Promise<Outcome>;
  /** The state now, by our own id of it, minutes late; null when there is no such payment. */
  search(paymentId: string): Promise<Outcome | null>;
  /** Takes `amount` of what was authorized. `key` makes each of these three safe to repeat. */
  capture(reference: string, request: { amount: number; key: string }): Promise<RequestOutcome>;
  /** Gives a payment up that is authorized or waits for its buyer; one that has gone through stays as it is. */
  void(reference: string, request: { key: string }): Promise<RequestOutcome>;
  refund(reference: string, request: { amount: number; key: string }): Promise<RequestOutcome>;
  /** All refunds, whoever asked for them; null when the provider does not say, or has too many to look through. */
  refunds(reference: string): Promise<ProviderRefund[] | null>;
  /** Null when signature or timestamp do not hold. */
  readWebhook(headers: Headers, body: string): Promise<WebhookEvent | null>;
  /** An event that was told before, for as long as the provider keeps it; null when it cannot be had. */
  event(id: string): Promise<WebhookEvent | null>;
}
