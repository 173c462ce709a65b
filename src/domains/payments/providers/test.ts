import * as z from 'zod';
import { equalSecret, hmacSha256Hex } from '../../../platform/auth/hmac.ts';
import { unixSeconds, type Clock } from '../../../platform/clock.ts';
import type { RoundTrips } from '../../../platform/db/db.ts';
import { tracedFetch } from '../../../platform/telemetry/trace/steps.ts';
import type { Charge, Outcome, PaymentProvider, WebhookEvent } from '../provider.ts';

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
  error: z.object({ type: z.literal('invalid_request_error'), param: z.string().nullish() }),
});

const Event = z.object({
  id: z.string(),
  type: z.string(),
  data: z.object({ object: z.object({ metadata: z.record(z.string(), z.string()).nullish() }) }),
});

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

const REFUNDED: Outcome = { status: 'declined', reference: null, reason: 'refunded' };

interface CallOptions {
  form?: Record<string, string>;
  idempotencyKey?: string;
  read?: (status: number, body: unknown) => Outcome;
}

export interface TestProviderOptions {
  url: string;
  apiKey: string;
  webhookSecret: string;
  timeoutMs: number;
}

export function createTestProvider(options: TestProviderOptions, clock: Clock, trips: RoundTrips): PaymentProvider {
  async function call(path: string, { form, idempotencyKey, read = readReply }: CallOptions = {}): Promise<Outcome> {
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
    find: (reference) => call(`/v1/payment_intents/${encodeURIComponent(reference)}`),
    cancel: (reference) =>
      call(`/v1/payment_intents/${encodeURIComponent(reference)}/cancel`, {
        form: {},
        idempotencyKey: `cancel-${reference}`,
      }),
    refund: async (reference) => {
      const refunded = await call('/v1/refunds', {
        form: { payment_intent: reference },
        idempotencyKey: `refund-${reference}`,
        read: (status) => (status === 200 ? REFUNDED : { status: 'unknown', cause: `HTTP ${status}` }),
      });
      return refunded === REFUNDED;
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
  return { id, type, paymentId: data.object.metadata?.['payment_id'] ?? null };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
