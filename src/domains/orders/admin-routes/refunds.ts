import { Hono } from 'hono';
import * as z from 'zod';
import { AppError } from '../../../platform/errors.ts';
import { once } from '../../../platform/http/idempotency.ts';
import { operation } from '../../../platform/http/operation.ts';
import { problem } from '../../../platform/http/problem.ts';
import { reply } from '../../../platform/http/reply.ts';
import { uuid } from '../../../platform/http/schema.ts';
import { body, params } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { NewRefund, Refund } from '../admin-schema.ts';
import { openRefund, settleRefund } from '../refund.ts';
import { askedBy } from '../asked.ts';
import { members } from '../members.ts';

const Path = z.object({ id: uuid });

/** Asks the provider as often as a caller retries, always about the same refund. What it refuses is no success. */
async function show(c: AppContext, orderId: string, id: string): Promise<Response> {
  const refund = await settleRefund(c.get('deps'), orderId, id);
  if (refund.status !== 'failed') return reply(c, Refund, refund, 201);
  const members = { reason: refund.failure_reason };
  return problem(c, new AppError('payment_declined', 'The provider refuses this refund.', { members }));
}

export const refundRoutes = new Hono<AppEnv>().post(
  '/admin/orders/:id/refunds',
  operation({
    summary: 'Give money back: for units of lines, for shipping, or an amount',
    tag: 'Orders',
    auth: 'staff',
    permission: 'refunds:write',
    replies: { 201: Refund },
    errors: ['illegal_transition', 'conflict', 'payment_in_doubt', 'payment_declined', 'idempotency_in_flight'],
    members: { ...members, reason: z.string().nullish() },
  }),
  params(Path),
  body(NewRefund),
  (c) => {
    const [{ id }, input] = [c.req.valid('param'), c.req.valid('json')];
    const { items, amount, shipping_amount: shippingAmount, reason } = input;
    const wish = { items, amount, shippingAmount, reason };
    return once(
      c,
      async (claim) => show(c, id, await openRefund(c.get('deps'), id, askedBy(c, claim), wish)),
      (made) => show(c, id, made),
    );
  },
);
