import * as z from 'zod';
import { equalSecret, hmacSha256Hex } from '../../../platform/auth/hmac.ts';
import { unixSeconds, type Clock } from '../../../platform/clock.ts';
import type { RoundTrips } from '../../../platform/db/db.ts';
import { tracedFetch } from '../../../platform/telemetry/trace/steps.ts';
import type {
  Charge,
  Dispute,
  Outcome,
  PaymentProvider,
  ProviderRefund,
  RequestOutcome,
  WebhookEvent,
} from '../provider.ts';

const PaymentIntent = z.object({
  id: z.string(),
  status: z.enum([
    'succeeded',
    'requires_capture',
    'requires_action',
    'processing',
    'canceled',
    'requires_payment_method',
  ]),
  currency: z.string(),
  amount_received: z.int(),
  amount_capturable: z.int(),
  next_action: z.object({ redirect_to_url: z.object({ url: z.string() }) }).nullish(),
  last_payment_error: z.object({ code: z.string().nullish() }).nullish(),
  metadata: z.record(z.string(), z.string()),
});
type PaymentIntent = z.output<typeof PaymentIntent>;

const CardError = z.object({
  error: z.object({
    type: z.literal('card_error'),
    code: z.string(),
    decline_code: z.string().nullish(),
    payment_intent: z.object({ id: z.string() }).nullish(),
  }),
});

const InvalidRequest = z.object({
  error: z.object({
    type: z.literal('invalid_request_error'),
    code: z.string().nullish(),
    param: z.string().nullish(),
  }),
});

const Event = z.object({
  id: z.string(),
  type: z.string(),
  data: z.object({
    object: z.object({
      id: z.string(),
      object: z.string(),
      payment_intent: z.string().nullish(),
      amount: z.int(),
      status: z.string(),
      metadata: z.record(z.string(), z.string()).nullish(),
    }),
  }),
});

const Refund = z.object({
  id: z.string(),
  amount: z.int(),
  status: z.string(),
  metadata: z.record(z.string(), z.string()),
});
const RefundList = z.object({ data: z.array(Refund) });

/** Seconds a webhook's timestamp may be off: an older one is a replay. */
const WEBHOOK_TOLERANCE_S = 300;

function toOutcome(intent: PaymentIntent): Outcome {
  const reference = intent.id;
  const currency = intent.currency.toUpperCase();
  switch (intent.status) {
    case 'succeeded':
      return { status: 'captured', reference, amount: intent.amount_received, currency };
    case 'requires_capture':
      return { status: 'authorized', reference, amount: intent.amount_capturable, currency };
    case 'processing':
      return { status: 'processing', reference };
    case 'requires_action': {
      const url = intent.next_action?.redirect_to_url.url;
      if (url === undefined) return { status: 'unknown', cause: 'requires_action without an action' };
      return { status: 'requires_action', reference, nextAction: { type: 'redirect_to_url', url } };
    }
    case 'canceled':
      return { status: 'declined', reference, reason: 'canceled' };
    case 'requires_payment_method':
      return { status: 'declined', reference, reason: intent.last_payment_error?.code ?? 'authentication_failed' };
  }
}

/** Only a reply that says what happened to the money decides; everything else is unknown. */
function readReply(status: number, body: unknown): Outcome {
  if (status === 200) {
    const intent = PaymentIntent.safeParse(body);
    return intent.success ? toOutcome(intent.data) : { status: 'unknown', cause: 'unreadable payment intent' };
  }
  const declined = CardError.safeParse(body);
  if (status === 402 && declined.success) {
    const { code, decline_code, payment_intent } = declined.data.error;
    return { status: 'declined', reference: payment_intent?.id ?? null, reason: decline_code ?? code };
  }
  return { status: 'unknown', cause: `HTTP ${status}` };
}

/** A charge refused as malformed was not made; of a payment that exists the same answer says nothing. */
function readChargeReply(status: number, body: unknown): Outcome {
  const invalid = InvalidRequest.safeParse(body);
  if (status !== 400 || !invalid.success) return readReply(status, body);
  return { status: 'declined', reference: null, reason: `invalid_${invalid.data.error.param ?? 'request'}` };
}

/** A request that is refused for the payment's state or amount was not carried out; anything else may have been. */
function readRequestReply(status: number, body: unknown): RequestOutcome {
  if (status === 200) {
    const id = z.object({ id: z.string() }).safeParse(body);
    return { status: 'success', reference: id.success ? id.data.id : null };
  }
  const invalid = InvalidRequest.safeParse(body);
  if (status === 400 && invalid.success) {
    const { code, param } = invalid.data.error;
    return { status: 'failure', reference: null, reason: code ?? `invalid_${param ?? 'request'}` };
  }
  return { status: 'unknown', cause: `HTTP ${status}` };
}

function readRefunds(status: number, body: unknown): ProviderRefund[] | { status: 'unknown'; cause: string } {
  const list = RefundList.safeParse(body);
  if (status !== 200 || !list.success) return { status: 'unknown', cause: `HTTP ${status}` };
  return list.data.data.flatMap(({ id, amount, status: state, metadata }) =>
    state === 'succeeded' ? [{ reference: id, amount, requestId: metadata['request_id'] ?? null }] : [],
  );
}

const intentPath = (reference: string) => `/v1/payment_intents/${encodeURIComponent(reference)}`;

interface CallOptions<Result> {
  form?: Record<string, string>;
  idempotencyKey?: string;
  read: (status: number, body: unknown) => Result;
}

export interface TestProviderOptions {
  url: string;
  apiKey: string;
  webhookSecret: string;
  timeoutMs: number;
}

export function createTestProvider(options: TestProviderOptions, clock: Clock, trips: RoundTrips): PaymentProvider {
  async function call<Result>(
    path: string,
    { form, idempotencyKey, read }: CallOptions<Result>,
  ): Promise<Result | { status: 'unknown'; cause: string }> {
    trips.provider += 1;
    try {
      const init = {
        method: form ? 'POST' : 'GET',
        headers: {
          authorization: `Bearer ${options.apiKey}`,
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        },
        ...(form && { body: new URLSearchParams(form) }),
        signal: AbortSignal.timeout(options.timeoutMs),
      };
      const response = await tracedFetch(`${options.url}${path}`, init, { 'ecommerce.payment.provider': 'test' });
      return read(response.status, await response.json());
    } catch (error) {
      return { status: 'unknown', cause: String(error) };
    }
  }

  return {
    pay: (charge: Charge) =>
      call('/v1/payment_intents', {
        form: {
          amount: String(charge.amount),
          currency: charge.currency.toLowerCase(),
          payment_method: charge.token,
          confirm: 'true',
          capture_method: charge.capture,
          'metadata[payment_id]': charge.paymentId,
          'metadata[order_id]': charge.orderId,
        },
        idempotencyKey: charge.paymentId,
        read: readChargeReply,
      }),
    find: (reference) => call(intentPath(reference), { read: readReply }),
    capture: (reference, { amount, key }) =>
      call(`${intentPath(reference)}/capture`, {
        form: { amount_to_capture: String(amount) },
        idempotencyKey: key,
        read: readRequestReply,
      }),
    void: (reference, { key }) =>
      call(`${intentPath(reference)}/cancel`, { form: {}, idempotencyKey: key, read: readRequestReply }),
    refund: (reference, { amount, key }) =>
      call('/v1/refunds', {
        form: { payment_intent: reference, amount: String(amount), 'metadata[request_id]': key },
        idempotencyKey: key,
        read: readRequestReply,
      }),
    refunds: async (reference) => {
      const path = `/v1/refunds?payment_intent=${encodeURIComponent(reference)}`;
      const found = await call(path, { read: readRefunds });
      return Array.isArray(found) ? found : null;
    },
    readWebhook: (headers, body) =>
      readWebhook(headers.get('test-signature') ?? '', body, options.webhookSecret, clock),
  };
}

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, as Stripe signs. */
async function readWebhook(header: string, body: string, secret: string, clock: Clock): Promise<WebhookEvent | null> {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header);
  if (match?.[1] === undefined || match[2] === undefined) return null;
  if (Math.abs(unixSeconds(clock) - Number(match[1])) > WEBHOOK_TOLERANCE_S) return null;
  if (!equalSecret(await hmacSha256Hex(secret, `${match[1]}.${body}`), match[2])) return null;
  const event = Event.safeParse(parseJson(body));
  if (!event.success) return null;
  const { id, type, data } = event.data;
  const { metadata, payment_intent } = data.object;
  return {
    id,
    type,
    paymentId: metadata?.['payment_id'] ?? null,
    paymentReference: payment_intent ?? (data.object.object === 'payment_intent' ? data.object.id : null),
    dispute: disputeOf(type, data.object),
  };
}

function disputeOf(type: string, object: z.output<typeof Event>['data']['object']): Dispute | null {
  if (object.object !== 'dispute' || !type.startsWith('charge.dispute.')) return null;
  const status = object.status === 'won' || object.status === 'lost' ? object.status : 'opened';
  return { reference: object.id, status, amount: object.amount };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
