import * as z from 'zod';
import {
  outcomeOfRefund,
  type Dispute,
  type Outcome,
  type ProviderRefund,
  type RequestOutcome,
  type WebhookEvent,
} from '../provider.ts';

/** What Stripe's API answers, and whoever speaks as it does; only what is read here. Amounts in minor units. */
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
  amount: z.int(),
  amount_received: z.int(),
  amount_capturable: z.int(),
  next_action: z.object({ redirect_to_url: z.object({ url: z.string() }) }).nullish(),
  last_payment_error: z.object({ code: z.string().nullish() }).nullish(),
});
const IntentList = z.object({ data: z.array(PaymentIntent) });

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

const Refund = z.object({
  id: z.string(),
  amount: z.int(),
  status: z.string().nullable(),
  metadata: z.record(z.string(), z.string()).nullish(),
});
const RefundList = z.object({ data: z.array(Refund), has_more: z.boolean() });

/** Names as providers give them; nothing else goes into the database. */
const name = z.string().regex(/^[\x21-\x7e]{1,255}$/);

const Event = z.object({
  id: name,
  type: name,
  data: z.object({
    object: z.object({
      id: name.nullish(),
      object: z.string(),
      payment_intent: z.union([name, z.object({ id: name })]).nullish(),
      amount: z.int().min(0).nullish(),
      currency: z.string().nullish(),
      status: z.string().nullish(),
      metadata: z.record(z.string(), z.string()).nullish(),
    }),
  }),
});
type Subject = z.output<typeof Event>['data']['object'];

/** Seconds a webhook's timestamp may be off: an older one is a replay. */
export const WEBHOOK_TOLERANCE_S = 300;

interface Unknown {
  status: 'unknown';
  cause: string;
}

const unknown = (cause: string): Unknown => ({ status: 'unknown', cause });

function toOutcome(intent: z.output<typeof PaymentIntent>): Outcome {
  const reference = intent.id;
  const currency = intent.currency.toUpperCase();
  switch (intent.status) {
    case 'succeeded':
      return { status: 'captured', reference, amount: intent.amount_received, intended: intent.amount, currency };
    case 'requires_capture':
      return { status: 'authorized', reference, amount: intent.amount_capturable, currency };
    case 'processing':
      return { status: 'processing', reference };
    case 'requires_action': {
      const url = intent.next_action?.redirect_to_url.url;
      if (url === undefined) return unknown('requires_action without an action');
      return { status: 'requires_action', reference, nextAction: { type: 'redirect_to_url', url } };
    }
    case 'canceled':
      return { status: 'declined', reference, reason: 'canceled' };
    case 'requires_payment_method':
      // Without an error no card was refused: the charge is under way, or was never tried.
      if (!intent.last_payment_error) return unknown('no card was tried yet');
      return { status: 'declined', reference, reason: intent.last_payment_error.code ?? 'authentication_failed' };
  }
}

/** Only a reply that says what happened to the money decides; everything else is unknown. */
export function readReply(status: number, body: unknown): Outcome {
  if (status === 200) {
    const intent = PaymentIntent.safeParse(body);
    return intent.success ? toOutcome(intent.data) : unknown('unreadable payment intent');
  }
  const declined = CardError.safeParse(body);
  if (status === 402 && declined.success) {
    const { code, decline_code, payment_intent } = declined.data.error;
    return { status: 'declined', reference: payment_intent?.id ?? null, reason: decline_code ?? code };
  }
  return unknown(`HTTP ${status}`);
}

/** A charge refused as malformed was not made; of a payment that exists the same answer says nothing. */
export function readChargeReply(status: number, body: unknown): Outcome {
  const invalid = InvalidRequest.safeParse(body);
  if (status !== 400 || !invalid.success) return readReply(status, body);
  return { status: 'declined', reference: null, reason: `invalid_${invalid.data.error.param ?? 'request'}` };
}

export function readSearch(status: number, body: unknown): Outcome | null {
  const list = IntentList.safeParse(body);
  if (status !== 200 || !list.success) return unknown(`HTTP ${status}`);
  const [intent] = list.data.data;
  return intent ? toOutcome(intent) : null;
}

/** A request that is refused for the payment's state or amount was not carried out; anything else may have been. */
function readRequestReply(status: number, body: unknown): RequestOutcome {
  const invalid = InvalidRequest.safeParse(body);
  if (status === 400 && invalid.success) {
    const { code, param } = invalid.data.error;
    return { status: 'failure', reference: null, reason: code ?? `invalid_${param ?? 'request'}` };
  }
  const declined = CardError.safeParse(body);
  if (status === 402 && declined.success) {
    return { status: 'failure', reference: null, reason: declined.data.error.decline_code ?? declined.data.error.code };
  }
  return unknown(`HTTP ${status}`);
}

/** A payment that is not what was asked for says nothing: its state is looked at later. */
function readEnd(status: number, body: unknown, isAsked: (state: Outcome) => boolean): RequestOutcome {
  if (status !== 200) return readRequestReply(status, body);
  const state = readReply(status, body);
  if (state.status === 'unknown') return state;
  if (!isAsked(state) || state.reference === null) return unknown(`the payment is ${state.status}`);
  return { status: 'success', reference: state.reference };
}

/** `amount` in minor units, as it was asked for. */
export const readCaptureReply =
  (amount: number) =>
  (status: number, body: unknown): RequestOutcome =>
    readEnd(status, body, (state) => state.status === 'captured' && state.amount === amount);

export const readVoidReply = (status: number, body: unknown): RequestOutcome =>
  readEnd(status, body, (state) => state.status === 'declined' && state.reason === 'canceled');

function refundOf({ id, amount, status, metadata }: z.output<typeof Refund>): ProviderRefund {
  const isOver = status === 'failed' || status === 'canceled';
  return {
    reference: id,
    amount,
    status: status === 'succeeded' ? status : isOver ? 'failed' : 'pending',
    requestId: metadata?.['request_id'] ?? null,
  };
}

export function readRefundReply(status: number, body: unknown): RequestOutcome {
  if (status !== 200) return readRequestReply(status, body);
  const made = Refund.safeParse(body);
  return made.success ? outcomeOfRefund(refundOf(made.data)) : unknown('unreadable refund');
}

interface RefundPage {
  refunds: ProviderRefund[];
  hasMore: boolean;
}

export function readRefunds(status: number, body: unknown): RefundPage | Unknown {
  const list = RefundList.safeParse(body);
  if (status !== 200 || !list.success) return unknown(`HTTP ${status}`);
  return { refunds: list.data.data.map(refundOf), hasMore: list.data.has_more };
}

/** The most that a list gives at once, and how many of these are asked for: https://docs.stripe.com/api/pagination */
export const REFUNDS_PAGE = 100;
const PAGES_MAX = 10;

/** Page after page, each after the last refund of the one before; null where one is missing, since it may hold ours. */
export async function allRefunds(
  readPage: (after: string | undefined) => Promise<RefundPage | Unknown>,
): Promise<ProviderRefund[] | null> {
  const all: ProviderRefund[] = [];
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page = await readPage(all.at(-1)?.reference);
    if ('status' in page) return null;
    all.push(...page.refunds);
    if (!page.hasMore) return all;
  }
  return null;
}

/** Inquiries and disputes that were prevented move no money. */
const DISPUTES: Record<string, Dispute['status']> = {
  needs_response: 'opened',
  under_review: 'opened',
  appeal_needs_response: 'opened',
  appeal_under_review: 'opened',
  won: 'won',
  lost: 'lost',
};

function disputeOf({ object, id, status, amount, currency }: Subject): Dispute | null {
  const state = DISPUTES[status ?? ''];
  if (object !== 'dispute' || !state || typeof id !== 'string' || typeof amount !== 'number') return null;
  return { reference: id, status: state, amount, currency: currency?.toUpperCase() ?? null };
}

/** Null when it has not the shape of an event. */
export function readEvent(event: unknown): WebhookEvent | null {
  const read = Event.safeParse(event);
  if (!read.success) return null;
  const { id, type, data } = read.data;
  const { object, payment_intent: intent, metadata } = data.object;
  const named = typeof intent === 'object' ? intent?.id : intent;
  return {
    id,
    type,
    paymentId: metadata?.['payment_id'] ?? null,
    paymentReference: named ?? (object === 'payment_intent' ? (data.object.id ?? null) : null),
    dispute: disputeOf(data.object),
  };
}
