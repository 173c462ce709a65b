import { equalSecret, hmacSha256Hex } from '../../../platform/auth/hmac.ts';
import { unixSeconds, type Clock } from '../../../platform/clock.ts';
import type { RoundTrips } from '../../../platform/db/db.ts';
import { tracedFetch } from '../../../platform/telemetry/trace/steps.ts';
import type { PaymentProvider, WebhookEvent } from '../provider.ts';
import {
  allRefunds,
  readCaptureReply,
  readChargeReply,
  readEvent,
  readRefundReply,
  readRefunds,
  readReply,
  readSearch,
  readVoidReply,
  REFUNDS_PAGE,
  WEBHOOK_TOLERANCE_S,
} from './intents.ts';

const intentPath = (reference: string) => `/v1/payment_intents/${encodeURIComponent(reference)}`;

function refundsPath(reference: string, after: string | undefined): string {
  const page = { limit: String(REFUNDS_PAGE), ...(after !== undefined && { starting_after: after }) };
  return `/v1/refunds?${new URLSearchParams({ payment_intent: reference, ...page }).toString()}`;
}

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

/** A provider that charges nobody, for development and tests; see dev/provider. */
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
    unpayable: () => null,
    pay: (charge) =>
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
    search: (paymentId) => {
      const query = new URLSearchParams({ query: `metadata['payment_id']:'${paymentId}'` });
      return call(`/v1/payment_intents/search?${query.toString()}`, { read: readSearch });
    },
    capture: (reference, { amount, key }) =>
      call(`${intentPath(reference)}/capture`, {
        form: { amount_to_capture: String(amount) },
        idempotencyKey: key,
        read: readCaptureReply(amount),
      }),
    void: (reference, { key }) =>
      call(`${intentPath(reference)}/cancel`, { form: {}, idempotencyKey: key, read: readVoidReply }),
    refund: (reference, { amount, key }) =>
      call('/v1/refunds', {
        form: { payment_intent: reference, amount: String(amount), 'metadata[request_id]': key },
        idempotencyKey: key,
        read: readRefundReply,
      }),
    refunds: (reference) => allRefunds((after) => call(refundsPath(reference, after), { read: readRefunds })),
    readWebhook: (headers, body) =>
      readWebhook(headers.get('test-signature') ?? '', body, options.webhookSecret, clock),
    event: async (id) => {
      const read = (status: number, body: unknown) => (status === 200 ? readEvent(body) : null);
      const found = await call(`/v1/events/${encodeURIComponent(id)}`, { read });
      return found && 'type' in found ? found : null;
    },
  };
}

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, as Stripe signs. */
async function readWebhook(header: string, body: string, secret: string, clock: Clock): Promise<WebhookEvent | null> {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header);
  if (match?.[1] === undefined || match[2] === undefined) return null;
  if (Math.abs(unixSeconds(clock) - Number(match[1])) > WEBHOOK_TOLERANCE_S) return null;
  if (!equalSecret(await hmacSha256Hex(secret, `${match[1]}.${body}`), match[2])) return null;
  return readEvent(parseJson(body));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
