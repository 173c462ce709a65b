import { Hono } from 'hono';
import * as z from 'zod';
import { AppError } from '../../platform/errors.ts';
import { subjectOf } from '../../platform/auth/actor.ts';
import { claimStatements, once, type Claim } from '../../platform/http/idempotency.ts';
import { operation } from '../../platform/http/operation.ts';
import { uuid } from '../../platform/http/schema.ts';
import { body, params } from '../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../platform/http/context.ts';
import { auditEntry } from '../audit/index.ts';
import { answerPayment, answerVerb, askVerb, VERB, VoidInput } from '../payments/index.ts';
import { giveUp } from './give-up.ts';
import { noteGivingUp, waitingOrder } from './queries-live.ts';

/** The payment once its order waits no more: failed, or paid where the provider says so. */
async function answerGivenUp(c: AppContext, paymentId: string, isForced: boolean): Promise<Response> {
  const deps = c.get('deps');
  const [[order]] = await deps.db.read(waitingOrder(paymentId));
  if (!order) return await answerPayment(c, paymentId);
  await giveUp(deps, order.id, isForced ? 'force' : 'staff');
  const [[still]] = await deps.db.read(waitingOrder(paymentId));
  if (still?.lease_live === true) {
    throw new AppError('idempotency_in_flight', 'The provider is being asked right now.', { retryAfterS: 5 });
  }
  if (still) throw new AppError('payment_in_doubt', 'The bank has not decided yet.', { retryAfterS: 60 });
  return await answerPayment(c, paymentId);
}

/** One batch that claims and writes down who gives it up; then the provider. The claim names the payment. */
async function giveUpPayment(c: AppContext, id: string, isForced: boolean, claim: Claim | null): Promise<Response> {
  const { db, ids } = c.get('deps');
  const actor = c.get('actor');
  const statements = [
    ...claimStatements(claim, id),
    noteGivingUp({ id: ids.uuid(), paymentId: id, isForced, actor: subjectOf(actor) }),
    auditEntry({
      id: ids.uuid(),
      actor,
      action: 'payments.void',
      resource: { type: 'payment', id },
      details: isForced ? { force: true } : {},
      requestId: c.get('record').requestId,
    }),
  ];
  await db.commit(statements, waitingOrder(id), { resend: claim !== null });
  return await answerGivenUp(c, id, isForced);
}

export const checkoutAdminRoutes = new Hono<AppEnv>().post(
  '/admin/payments/:id/void',
  operation({
    ...VERB,
    summary: 'Give up what was authorized, or a payment that its order still waits for',
    permission: 'payments:write',
    errors: [...VERB.errors, 'provider_unavailable'],
    members: { ...VERB.members, order_id: z.string().optional() },
  }),
  params(z.object({ id: uuid })),
  body(VoidInput),
  (c) => {
    const { id } = c.req.valid('param');
    const { force } = c.req.valid('json');
    return once(
      c,
      async (claim) => {
        const [[order]] = await c.get('deps').db.read(waitingOrder(id));
        if (order) return await giveUpPayment(c, id, force, claim);
        return await askVerb(c, id, { kind: 'void', amount: null }, claim);
      },
      (made) => (made === id ? answerGivenUp(c, id, force) : answerVerb(c, made)),
    );
  },
);
