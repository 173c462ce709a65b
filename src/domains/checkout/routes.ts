import { Hono } from 'hono';
import * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { body, params } from '../../platform/http/validate.ts';
import { claimOf, replayResponse, storeLater } from '../../platform/http/idempotency.ts';
import { operation } from '../../platform/http/operation.ts';
import { problem } from '../../platform/http/problem.ts';
import { reply } from '../../platform/http/reply.ts';
import { currencyCode, money } from '../../platform/http/schema.ts';
import { versionedEtag } from '../../platform/http/etag.ts';
import type { AppContext, AppEnv } from '../../platform/http/context.ts';
import { drainOutbox } from '../events/index.ts';
import { guestToken, Order, presentOrder, type OrderRow } from '../orders/index.ts';
import { placeOrder } from './place.ts';
import { answerOf } from './rules.ts';
import { NewOrder } from './schema.ts';
import { receiveWebhook } from './webhook.ts';

const tag = 'Orders';
const RETRY_S = 5;

/** How whoever sent a cart without a key goes on with its order, and how a guest reads it. */
async function wayBack(deps: Deps, { id, cart_id, customer_id }: OrderRow) {
  return { order_id: id, cart_id, ...(customer_id === null && { guest_token: await guestToken(deps, id) }) };
}

/** The order as an answer to whoever placed it: 201, or the refusal that its payment amounts to. */
async function answer(c: AppContext, row: OrderRow): Promise<Response> {
  const deps = c.get('deps');
  c.get('record').orderId = row.id;
  switch (answerOf(row)) {
    case 'placed':
    case 'waiting': {
      const order = await presentOrder(deps, row);
      await versionedEtag(c, order.version, order);
      return reply(c, Order, order, 201);
    }
    case 'declined': {
      const reason = row.payments.at(-1)?.ledger.findLast((entry) => entry.outcome === 'failure')?.reason ?? null;
      return problem(
        c,
        new AppError('payment_declined', 'The card was declined. The cart is open again for another one.', {
          param: 'payment.token',
          members: { reason, order_id: row.id, cart_id: row.cart_id },
        }),
      );
    }
    case 'in_flight':
      throw new AppError('idempotency_in_flight', 'This order is being placed right now.', {
        retryAfterS: RETRY_S,
        members: await wayBack(deps, row),
      });
    case 'in_doubt':
      throw new AppError('payment_in_doubt', 'Nothing is lost. Try again with the same key, or by cart_id.', {
        retryAfterS: RETRY_S,
        members: await wayBack(deps, row),
      });
  }
}

export const checkoutRoutes = new Hono<AppEnv>()
  .post(
    '/orders',
    operation({
      summary: 'Place an order',
      tag,
      auth: 'optional',
      limit: 'order',
      replies: { 201: Order },
      errors: [
        'payment_declined',
        'not_found',
        'insufficient_stock',
        'cart_changed',
        'cart_already_completed',
        'idempotency_in_flight',
        'idempotency_key_reused',
        'cart_incomplete',
        'cart_full',
        'sku_unavailable',
        'discount_code_invalid',
        'shipping_option_unavailable',
        'provider_unavailable',
        'payment_in_doubt',
      ],
      members: {
        order_id: z.string().optional(),
        cart_id: z.string().optional().describe('Of an order that is not settled: send it to go on with that order.'),
        guest_token: z.string().optional(),
        reason: z.string().nullish(),
        total: money.optional(),
        currency: currencyCode.optional(),
      },
    }),
    body(NewOrder),
    async (c) => {
      const input = c.req.valid('json');
      const deps = c.get('deps');
      const claim = await claimOf(c, input.cart_id ?? null);
      const placed = await placeOrder(deps, c.get('actor'), input, claim);
      if ('replay' in placed) return replayResponse(c, placed.replay);
      const response = storeLater(c, claim, await answer(c, placed.order));
      deps.defer(() => drainOutbox(deps));
      return response;
    },
  )
  .post(
    '/webhooks/payments/:provider',
    operation({
      summary: 'What a payment provider has to tell',
      tag: 'Operations',
      auth: 'none',
      delivered: true,
      replies: { 204: null },
      errors: ['unauthenticated', 'provider_unavailable', 'idempotency_in_flight', 'payment_in_doubt'],
      idempotencyKey: 'ignored',
    }),
    params(z.object({ provider: z.enum(['test', 'stripe']) })),
    async (c) => {
      await receiveWebhook(c.get('deps'), c.req.valid('param').provider, c.req.raw.headers, await c.req.text());
      return c.body(null, 204);
    },
  );
