import { customerIdOf, type Actor } from '../../platform/auth/actor.ts';
import { AlreadyApplied, DatabaseUnreachable } from '../../platform/db/errors.ts';
import type { Deps } from '../../platform/deps.ts';
import { AppError, notFound } from '../../platform/errors.ts';
import { assertSameRequest, keyRow, type Claim, type KeyRow } from '../../platform/http/idempotency.ts';
import { cartView, createCart, type CartRow } from '../cart/index.ts';
import { orderById, type OrderRow } from '../orders/index.ts';
import { assertManualAllowed, onlineProvider } from '../payments/index.ts';
import { liveOrderOfCart, placeStatements, type LiveOrder } from './queries.ts';
import { isSettledAtOnce, planOrder, type OrderPlan } from './rules.ts';
import { resume, settle } from './settle.ts';
import type { NewOrder } from './schema.ts';

/** What a retry finds: the reply of the first call, byte for byte, or the order it made. */
export type Placed = { replay: { status: number; body: string } } | { order: OrderRow };

interface Found {
  key: KeyRow | null;
  live: LiveOrder | null;
  cart: CartRow | null;
}

/** One read: the key, the order this cart has already, and all that pricing takes. */
async function look(deps: Deps, customerId: string | null, cartId: string, claim: Claim | null): Promise<Found> {
  const cart = cartView(cartId, customerId);
  const live = liveOrderOfCart(cartId, customerId);
  if (!claim) {
    const [lives, carts] = await deps.db.read(live, cart);
    return { key: null, live: lives[0] ?? null, cart: carts[0] ?? null };
  }
  const [lives, carts, keys] = await deps.db.read(live, cart, keyRow(claim));
  return { key: keys[0] ?? null, live: lives[0] ?? null, cart: carts[0] ?? null };
}

/** A key used before: its stored reply, its order, or the order taken over where the first worker left it. */
async function goOn(deps: Deps, key: KeyRow, claim: Claim): Promise<Placed> {
  assertSameRequest(key, claim);
  if (key.status !== null && key.body !== null) return { replay: { status: key.status, body: key.body } };
  if (key.resource_id === null) throw notFound('order');
  return { order: await resume(deps, key.resource_id) };
}

function plan(deps: Deps, cart: CartRow, input: NewOrder, claim: Claim | null): OrderPlan {
  const { provider, token = null, capture } = input.payment;
  const planned = planOrder(
    cart,
    { provider, token, capture },
    {
      expectedTotal: input.expected_total,
      ids: {
        orderId: deps.ids.uuid(),
        number: deps.ids.orderNumber(),
        attempt: claim?.attempt ?? deps.ids.uuid(),
        uuid: () => deps.ids.uuid(),
      },
    },
  );
  if (provider === 'manual') assertManualAllowed(cart);
  else onlineProvider(deps, provider);
  return planned;
}

/**
 * Batch 1. A resend that meets its own order goes on with it. When no reply comes at all the order may be there with its
 * stock, so the caller learns that nothing is lost and tries again with the same key.
 */
async function open(deps: Deps, actor: Actor, planned: OrderPlan, claim: Claim | null): Promise<OrderRow> {
  const statements = placeStatements(planned, customerIdOf(actor), claim);
  try {
    const row = await deps.db.commit(statements, orderById(planned.orderId), { resend: true });
    if (row) return row;
  } catch (error) {
    if (!(error instanceof AlreadyApplied)) throw error;
  }
  const [[row]] = await deps.db.read(orderById(planned.orderId));
  if (!row) throw notFound('order');
  return row;
}

async function placeNew(
  deps: Deps,
  actor: Actor,
  cart: CartRow,
  { input, claim }: { input: NewOrder; claim: Claim | null },
): Promise<Placed> {
  const planned = plan(deps, cart, input, claim);
  const opened = await open(deps, actor, planned, claim);
  if (isSettledAtOnce(planned)) return { order: opened };
  const order = await settle(deps, {
    id: planned.orderId,
    attempt: planned.attempt,
    cart_id: cart.id,
    number: planned.number,
    currency: cart.currency,
    total: planned.totals.total,
    is_abandoned: false,
    payment: {
      id: planned.paymentId,
      order_id: planned.orderId,
      ...planned.payment,
      currency: cart.currency,
      amount: planned.totals.total,
      provider_reference: null,
    },
  }).catch((error: unknown) => {
    if (!(error instanceof DatabaseUnreachable)) throw error;
    throw new AppError('payment_in_doubt', 'Nothing is lost. Try again with the same key.', {
      retryAfterS: 5,
      cause: error,
    });
  });
  return { order };
}

/**
 * Places an order: one read, one batch that claims, reserves and freezes, the provider outside any transaction, one
 * batch that commits. An order that is pending from an earlier call is gone on with instead of making a second one.
 */
export async function placeOrder(deps: Deps, actor: Actor, input: NewOrder, claim: Claim | null): Promise<Placed> {
  const customerId = customerIdOf(actor);
  if (input.cart_id === undefined) return await placeInline(deps, actor, input, claim);
  const { key, live, cart } = await look(deps, customerId, input.cart_id, claim);
  if (key && claim) return await goOn(deps, key, claim);
  if (!cart) throw notFound('cart', 'cart_id');
  if (live?.status === 'pending' && !live.lease_live) return { order: await resume(deps, live.id) };
  if (live) throw new AppError('cart_already_completed', 'This cart has an order.', { param: 'cart_id' });
  return await placeNew(deps, actor, cart, { input, claim });
}

/** The cart comes with the request: making it is the read, so the round trips stay the same. */
async function placeInline(deps: Deps, actor: Actor, input: NewOrder, claim: Claim | null): Promise<Placed> {
  if (claim) {
    const [[key]] = await deps.db.read(keyRow(claim));
    if (key) return await goOn(deps, key, claim);
  }
  const cart = await createCart(deps, actor, input.cart ?? {}, { id: deps.ids.capability(), claim: null });
  return await placeNew(deps, actor, cart, { input, claim });
}
