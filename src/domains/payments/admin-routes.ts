import { Hono } from 'hono';
import * as z from 'zod';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import { AppError, notFound } from '../../platform/errors.ts';
import { subjectOf } from '../../platform/auth/actor.ts';
import { claimStatements, once, type Claim } from '../../platform/http/idempotency.ts';
import { operation } from '../../platform/http/operation.ts';
import { reply } from '../../platform/http/reply.ts';
import { uuid } from '../../platform/http/schema.ts';
import { body, params, query } from '../../platform/http/validate.ts';
import { auditEntry } from '../audit/index.ts';
import type { AppContext, AppEnv } from '../../platform/http/context.ts';
import { paymentDetail, paymentOfRequest, paymentPage, type DetailRow } from './queries/details.ts';
import { openRequest, type RequestKind } from './queries/requests.ts';
import { performRequest, settleRequest } from './requests.ts';
import { paymentState } from './rules.ts';
import { CaptureInput, PaymentDetail, PaymentList, PaymentQuery, RefundInput, VoidInput } from './schema.ts';

const tag = 'Payments';
const Path = z.object({ id: uuid });
const members = { legal: z.array(z.string()).optional(), left: z.int().optional() };

function toDetail({ waits_for_buyer, ...row }: DetailRow): PaymentDetail {
  return { ...row, ...paymentState(row.transactions, waits_for_buyer, row.amount) };
}

/** In doubt is no state to answer with: nothing is lost, and the same key asks again. */
async function answer(c: AppContext, requestId: string, isSettled: boolean): Promise<Response> {
  if (!isSettled) {
    throw new AppError('payment_in_doubt', 'Nothing is lost. Try again with the same key.', { retryAfterS: 5 });
  }
  const [[row]] = await c.get('deps').db.read(paymentOfRequest(requestId));
  if (!row) throw notFound('payment');
  return reply(c, PaymentDetail, toDetail(row));
}

interface Verb {
  kind: RequestKind;
  amount: number | null;
  reason?: string;
}

/** One batch that claims, checks and writes the request; then the provider; a retry goes on with the same request. */
function request(c: AppContext, paymentId: string, { kind, amount, reason }: Verb): Promise<Response> {
  const deps = c.get('deps');
  const [id, resultId, auditId] = [deps.ids.uuid(), deps.ids.uuid(), deps.ids.uuid()];
  const actor = c.get('actor');
  const run = async (claim: Claim | null) => {
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
    return await answer(c, id, await performRequest(deps, id));
  };
  return once(c, run, async (made) => answer(c, made, await settleRequest(deps, made)));
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
    async (c) => {
      const [[row]] = await c.get('deps').db.read(paymentDetail(c.req.valid('param').id));
      if (!row) throw notFound('payment');
      return reply(c, PaymentDetail, toDetail(row));
    },
  )
  .post(
    '/admin/payments/:id/capture',
    operation({
      summary: 'Take what was authorized, or note that money by hand has come',
      tag,
      auth: 'staff',
      permission: 'payments:write',
      replies: { 200: PaymentDetail },
      errors: ['illegal_transition', 'payment_in_doubt'],
      members,
    }),
    params(Path),
    body(CaptureInput),
    (c) => request(c, c.req.valid('param').id, { kind: 'capture', amount: c.req.valid('json').amount ?? null }),
  )
  .post(
    '/admin/payments/:id/void',
    operation({
      summary: 'Give up what was authorized',
      tag,
      auth: 'staff',
      permission: 'payments:write',
      replies: { 200: PaymentDetail },
      errors: ['illegal_transition', 'payment_in_doubt'],
      members,
    }),
    params(Path),
    body(VoidInput),
    (c) => request(c, c.req.valid('param').id, { kind: 'void', amount: null }),
  )
  .post(
    '/admin/payments/:id/refund',
    operation({
      summary: 'Give money back',
      tag,
      auth: 'staff',
      permission: 'refunds:write',
      replies: { 200: PaymentDetail },
      errors: ['illegal_transition', 'payment_in_doubt'],
      members,
    }),
    params(Path),
    body(RefundInput),
    (c) => {
      const { amount = null, reason } = c.req.valid('json');
      return request(c, c.req.valid('param').id, { kind: 'refund', amount, reason });
    },
  );
