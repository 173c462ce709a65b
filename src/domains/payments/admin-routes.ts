import { Hono } from 'hono';
import * as z from 'zod';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import { AppError, notFound } from '../../platform/errors.ts';
import { subjectOf } from '../../platform/auth/actor.ts';
import { claimStatements, once, type Claim } from '../../platform/http/idempotency.ts';
import { operation } from '../../platform/http/operation.ts';
import { problem } from '../../platform/http/problem.ts';
import { reply } from '../../platform/http/reply.ts';
import { uuid } from '../../platform/http/schema.ts';
import { body, params, query } from '../../platform/http/validate.ts';
import { auditEntry } from '../audit/index.ts';
import type { AppContext, AppEnv } from '../../platform/http/context.ts';
import { paymentDetail, paymentOfRequest, paymentPage, type DetailRow } from './queries/details.ts';
import { openRequest, type RequestKind } from './queries/requests.ts';
import { assertSettled, settleRequest } from './requests.ts';
import { paymentState } from './rules.ts';
import { CaptureInput, PaymentDetail, PaymentList, PaymentQuery, RefundInput } from './schema.ts';

const tag = 'Payments';
const Path = z.object({ id: uuid });
const members = {
  from: z.string().optional(),
  legal: z.array(z.string()).optional(),
  left: z.int().optional(),
  reason: z.string().nullish(),
};
/** What every verb's operation says of it. */
export const VERB = {
  tag,
  auth: 'staff',
  replies: { 200: PaymentDetail },
  errors: ['illegal_transition', 'payment_declined', 'idempotency_in_flight', 'payment_in_doubt'],
  members,
} as const;

function toDetail({ waits_for_buyer, ...row }: DetailRow): PaymentDetail {
  return { ...row, ...paymentState(row.transactions, waits_for_buyer, row.amount - row.waived_amount) };
}

/** The payment as it is now. Throws not_found. */
export async function answerPayment(c: AppContext, id: string): Promise<Response> {
  const [[row]] = await c.get('deps').db.read(paymentDetail(id));
  if (!row) throw notFound('payment');
  return reply(c, PaymentDetail, toDetail(row));
}

/** Asks the provider as often as a caller retries, always about the same request. What it refuses is no success. */
export async function answerVerb(c: AppContext, requestId: string): Promise<Response> {
  const deps = c.get('deps');
  assertSettled(await settleRequest(deps, requestId));
  const [[row]] = await deps.db.read(paymentOfRequest(requestId));
  if (!row) throw notFound('payment');
  const detail = toDetail(row);
  const result = detail.transactions.find((entry) => entry.request_id === requestId);
  if (result?.outcome !== 'failure') return reply(c, PaymentDetail, detail);
  const { reason } = result;
  return problem(c, new AppError('payment_declined', 'The provider refuses this.', { members: { reason } }));
}

interface Verb {
  kind: RequestKind;
  amount: number | null;
  reason?: string;
}

/** One batch that claims, checks and writes the request; then the provider. The claim names the request. */
export async function askVerb(
  c: AppContext,
  paymentId: string,
  { kind, amount, reason }: Verb,
  claim: Claim | null,
): Promise<Response> {
  const deps = c.get('deps');
  const [id, resultId, auditId] = [deps.ids.uuid(), deps.ids.uuid(), deps.ids.uuid()];
  const actor = c.get('actor');
  await deps.db.commit(
    [
      ...claimStatements(claim, id),
      ...openRequest({ id, resultId, paymentId, kind, amount, actor: subjectOf(actor) }),
      auditEntry({
        id: auditId,
        actor,
        action: `payments.${kind}`,
        resource: { type: 'payment', id: paymentId },
        details: { ...(amount !== null && { amount }), ...(reason !== undefined && { reason }) },
        requestId: c.get('record').requestId,
      }),
    ],
    paymentDetail(paymentId),
    { resend: claim !== null },
  );
  return await answerVerb(c, id);
}

/** A retry goes on with the same request. */
function request(c: AppContext, paymentId: string, verb: Verb): Promise<Response> {
  return once(
    c,
    (claim) => askVerb(c, paymentId, verb, claim),
    (made) => answerVerb(c, made),
  );
}

export const paymentAdminRoutes = new Hono<AppEnv>()
  .get(
    '/admin/payments',
    operation({
      summary: 'Payments, newest first',
      tag,
      auth: 'staff',
      permission: 'payments:read',
      replies: { 200: PaymentList },
    }),
    query(PaymentQuery),
    async (c) => {
      const asked = c.req.valid('query');
      const before = decodeCursor(asked.cursor, z.tuple([z.uuid()]));
      const [rows] = await c.get('deps').db.read(paymentPage(asked, before?.[0] ?? null));
      return reply(c, PaymentList, pageOf(rows, asked.limit, { item: toDetail, key: (row) => [row.id] }));
    },
  )
  .get(
    '/admin/payments/:id',
    operation({
      summary: 'One payment with its ledger',
      tag,
      auth: 'staff',
      permission: 'payments:read',
      replies: { 200: PaymentDetail },
    }),
    params(Path),
    (c) => answerPayment(c, c.req.valid('param').id),
  )
  .post(
    '/admin/payments/:id/capture',
    operation({
      summary: 'Take what was authorized, or note that money by hand has come',
      ...VERB,
      permission: 'payments:write',
    }),
    params(Path),
    body(CaptureInput),
    (c) => request(c, c.req.valid('param').id, { kind: 'capture', amount: c.req.valid('json').amount ?? null }),
  )
  .post(
    '/admin/payments/:id/refund',
    operation({
      summary: 'Give money back',
      ...VERB,
      permission: 'refunds:write',
    }),
    params(Path),
    body(RefundInput),
    (c) => {
      const { amount = null, reason } = c.req.valid('json');
      return request(c, c.req.valid('param').id, { kind: 'refund', amount, reason });
    },
  );
