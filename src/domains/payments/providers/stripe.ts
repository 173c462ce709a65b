import type { Stripe } from 'stripe';
import type { Clock } from '../../../platform/clock.ts';
import type { RoundTrips } from '../../../platform/db/db.ts';
import { tracedFetch } from '../../../platform/telemetry/trace/steps.ts';
import type { Charge, PaymentProvider, WebhookEvent } from '../provider.ts';
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
import { unpayable } from './stripe-units.ts';

/** Replies and events have the shapes of this version, whatever version the account is set to. */
export const STRIPE_API_VERSION = '2026-10-28.endive';

export interface StripeOptions {
  /** https://api.stripe.com, or whoever speaks as it does. */
  apiBase: string;
  secretKey: string;
  webhookSecret: string;
  /** The shop's page to which a bank sends the buyer back. */
  returnUrl: string;
  timeoutMs: number;
}

/** Loaded by the first request that pays with it: evaluating the SDK costs every start of the Worker 15 ms otherwise. */
async function loadSdk({ apiBase, secretKey, timeoutMs }: StripeOptions) {
  const { Stripe: Sdk } = await import('stripe');
  const { protocol, hostname, port } = new URL(apiBase);
  const http = protocol === 'http:';
  const send: typeof fetch = (url, init) =>
    tracedFetch(url instanceof Request ? url.url : String(url), init ?? {}, { 'ecommerce.payment.provider': 'stripe' });
  const client = new Sdk(secretKey, {
    apiVersion: STRIPE_API_VERSION,
    httpClient: Sdk.createFetchHttpClient(send),
    host: hostname,
    port: port || (http ? 80 : 443),
    protocol: http ? 'http' : 'https',
    // Retries are ours: the same request under the same key, by whoever comes next.
    maxNetworkRetries: 0,
    timeout: timeoutMs,
    telemetry: false,
  });
  return { client, cryptoProvider: Sdk.createSubtleCryptoProvider(), StripeError: Sdk.errors.StripeError };
}

function paramsOf(charge: Charge, returnUrl: string): Stripe.PaymentIntentCreateParams {
  return {
    amount: charge.amount,
    currency: charge.currency.toLowerCase(),
    payment_method: charge.token,
    allowed_payment_method_types: ['card'],
    confirm: true,
    capture_method: charge.capture,
    return_url: returnUrl,
    metadata: { payment_id: charge.paymentId, order_id: charge.orderId },
  };
}

/** Cards by Stripe's PaymentIntents; a token is the id of a payment method that its form made, such as pm_1Q2w3E. */
export function createStripeProvider(options: StripeOptions, clock: Clock, trips: RoundTrips): PaymentProvider {
  async function call<Result>(
    send: (client: Stripe) => Promise<unknown>,
    read: (status: number, body: unknown) => Result,
  ): Promise<Result | { status: 'unknown'; cause: string }> {
    const { client, StripeError } = await loadSdk(options);
    trips.provider += 1;
    try {
      return read(200, await send(client));
    } catch (error) {
      if (!(error instanceof StripeError)) return { status: 'unknown', cause: String(error) };
      const { statusCode, raw, type } = error;
      return statusCode === undefined ? { status: 'unknown', cause: type } : read(statusCode, { error: raw });
    }
  }

  async function readWebhook(header: string, body: string): Promise<WebhookEvent | null> {
    const { client, cryptoProvider } = await loadSdk(options);
    const now = clock.now().getTime();
    try {
      const { webhooks } = client;
      const secret = options.webhookSecret;
      return readEvent(
        await webhooks.constructEventAsync(body, header, secret, WEBHOOK_TOLERANCE_S, cryptoProvider, now),
      );
    } catch {
      // A signature that does not hold, or a body that is no event of this kind.
      return null;
    }
  }

  return {
    unpayable,
    pay: async (charge) => {
      const wrong = unpayable(charge.amount, charge.currency);
      if (wrong) return { status: 'declined', reference: null, reason: `${wrong}_not_supported` };
      const params = paramsOf(charge, options.returnUrl);
      const idempotency = { idempotencyKey: charge.paymentId };
      return await call((client) => client.paymentIntents.create(params, idempotency), readChargeReply);
    },
    find: (reference) => call((client) => client.paymentIntents.retrieve(reference), readReply),
    search: (paymentId) =>
      call((client) => client.paymentIntents.search({ query: `metadata['payment_id']:'${paymentId}'` }), readSearch),
    capture: (reference, { amount, key }) =>
      call(
        (client) => client.paymentIntents.capture(reference, { amount_to_capture: amount }, { idempotencyKey: key }),
        readCaptureReply(amount),
      ),
    void: (reference, { key }) =>
      call((client) => client.paymentIntents.cancel(reference, {}, { idempotencyKey: key }), readVoidReply),
    refund: (reference, { amount, key }) => {
      const params = { payment_intent: reference, amount, metadata: { request_id: key } };
      return call((client) => client.refunds.create(params, { idempotencyKey: key }), readRefundReply);
    },
    refunds: (reference) =>
      allRefunds((after) => {
        const page = { limit: REFUNDS_PAGE, ...(after !== undefined && { starting_after: after }) };
        return call((client) => client.refunds.list({ payment_intent: reference, ...page }), readRefunds);
      }),
    readWebhook: (headers, body) => readWebhook(headers.get('stripe-signature') ?? '', body),
    event: async (id) => {
      const found = await call(
        (client) => client.events.retrieve(id),
        (status, body) => (status === 200 ? readEvent(body) : null),
      );
      return found && 'type' in found ? found : null;
    },
  };
}
