import { customerIdOf, type Actor } from '../../platform/auth/actor.ts';
import { AlreadyApplied, DatabaseUnreachable, IdempotencyConflict } from '../../platform/db/errors.ts';
import type { Deps } from '../../platform/deps.ts';
import { AppError, notFound, within, type ErrorCode } from '../../platform/errors.ts';
import {
  assertSameRequest,
  keyRow,
  requireUnusedKey,
  storedReply,
  type Claim,
  type KeyRow,
  type StoredReply,
} from '../../platform/http/idempotency.ts';
import { cartView, createCart, removeUnordered, type CartRow, type NewCart } from '../cart/index.ts';
import { stockChanged } from '../inventory/index.ts';
import { guestToken, orderById, type OrderRow } from '../orders/index.ts';
import { assertManualAllowed, assertPayable, onlineProvider } from '../payments/index.ts';
import { giveUp, isAskedAgain } from './give-up.ts';
import { countOrder } from './metrics.ts';
import { liveOrderOfCart, type LiveOrder } from './queries-live.ts';
import { placeStatements } from './queries.ts';
import { isSettledAtOnce, planOrder, type OrderPlan } from './rules.ts';
import { resume, settle } from './settle.ts';
import type { NewOrder } from './schema.ts';

/** What a retry finds: the reply of the first call, byte for byte, or the order it made. */
export type Placed = { replay: StoredReply } | { order: OrderRow };

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
  const replay = await storedReply(key, claim);
  if (replay) return { replay };
  if (key.resource_id === null) throw notFound('order');
  return { order: await resume(deps, key.resource_id, claim) };
}

/** A twin with the same key was first: it is gone on with as any retry would. */
async function goOnWithTwin(deps: Deps, claim: Claim | null, conflict: unknown): Promise<Placed> {
  if (!claim || !(conflict instanceof IdempotencyConflict)) throw conflict;
  const [[key]] = await deps.db.read(keyRow(claim));
  if (!key) throw conflict;
  return await goOn(deps, key, claim);
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
  else assertPayable(onlineProvider(deps, provider), planned.totals.total, cart.currency);
  return planned;
}

/** Batch 1; a resend that meets its own order goes on with it. */
async function open(deps: Deps, actor: Actor, planned: OrderPlan, claim: Claim | null): Promise<OrderRow> {
  const statements = placeStatements(planned, customerIdOf(actor), claim);
  try {
    const row = await deps.db.commit(statements, orderById(planned.orderId), { resend: true });
    stockChanged(deps);
    if (row) return row;
  } catch (error) {
    if (!(error instanceof AlreadyApplied)) throw error;
  }
  const [[row]] = await deps.db.read(orderById(planned.orderId));
  if (!row) throw notFound('order');
  return row;
}

interface Request {
  input: NewOrder;
  claim: Claim | null;
}

async function placeNew(deps: Deps, actor: Actor, cart: CartRow, { input, claim }: Request): Promise<Placed> {
  const planned = plan(deps, cart, input, claim);
  const opened = await open(deps, actor, planned, claim);
  if (isSettledAtOnce(planned)) {
    countOrder(deps, { currency: cart.currency, total: planned.totals.total });
    return { order: opened };
  }
  const order = await settle(deps, {
    id: planned.orderId,
    attempt: planned.attempt,
    cart_id: cart.id,
    number: planned.number,
    currency: cart.currency,
    total: planned.totals.total,
    is_abandoned: false,
    is_stale: false,
    payment: {
      id: planned.paymentId,
      order_id: planned.orderId,
      ...planned.payment,
      currency: cart.currency,
      amount: planned.totals.total,
      provider_reference: null,
    },
  });
  return { order };
}

/**
 * Whoever holds the cart may know what became of it: a buyer whose reply was lost finds the order here. One who wants to
 * pay otherwise comes again when whoever works on it is done.
 */
async function alreadyOrdered(deps: Deps, live: LiveOrder, input: NewOrder): Promise<AppError> {
  if (live.status === 'pending' && live.lease_live && !isAskedAgain(live, input))
    return new AppError('idempotency_in_flight', 'This order is being placed right now.', { retryAfterS: 5 });
  const members = { order_id: live.id, ...(live.is_guest && { guest_token: await guestToken(deps, live.id) }) };
  const detail = live.status === 'pending' ? 'This cart has an order that is being paid.' : 'This cart has an order.';
  return new AppError('cart_already_completed', detail, { param: 'cart_id', members });
}

async function placeFound(deps: Deps, actor: Actor, { key, live, cart }: Found, request: Request): Promise<Placed> {
  const { input, claim } = request;
  if (key && claim) return await goOn(deps, key, claim);
  if (!cart) throw notFound('cart', 'cart_id');
  if (live) throw await alreadyOrdered(deps, live, input);
  return await placeNew(deps, actor, cart, request).catch((error: unknown) => goOnWithTwin(deps, claim, error));
}

/**
 * An order that nobody works on is gone on with. When it waits for a payment and another one is asked for, that payment
 * is given up first: until the provider has said so, nothing else is charged.
 */
async function placeFromCart(deps: Deps, actor: Actor, cartId: string, request: Request): Promise<Placed> {
  const { input, claim } = request;
  const found = await look(deps, customerIdOf(actor), cartId, claim);
  const { key, live, cart } = found;
  const isLeft = live?.status === 'pending' && !live.lease_live;
  if (key || !cart || !isLeft) return await placeFound(deps, actor, found, request);
  if (isAskedAgain(live, input)) return { order: await resume(deps, live.id, claim) };
  // What would be refused gives nothing up.
  plan(deps, cart, input, claim);
  await giveUp(deps, live.id);
  return await placeFound(deps, actor, await look(deps, customerIdOf(actor), cartId, claim), request);
}

/** Refusals that name a part of the cart; the others name a part of the request beside it. */
const CART_REFUSALS = new Set<ErrorCode>([
  'cart_full',
  'cart_incomplete',
  'discount_code_invalid',
  'insufficient_stock',
  'shipping_option_unavailable',
  'sku_unavailable',
  'validation_failed',
]);

/** Whoever sent the cart with the order has no other name of it than what is told here. */
function inDoubt(cause: DatabaseUnreachable, members: { cart_id?: string }): AppError {
  const detail = 'Nothing is lost. Try again with the same key.';
  return new AppError('payment_in_doubt', detail, { retryAfterS: 5, cause, members });
}

/**
 * The cart comes with the request. Making it is the read, so the round trips stay the same; a key used before stops that
 * batch, and a refused order takes its cart with it.
 */
async function placeInline(deps: Deps, actor: Actor, newCart: NewCart, request: Request): Promise<Placed> {
  const { claim } = request;
  const id = deps.ids.capability();
  let isMade = false;
  try {
    const cart = await createCart(deps, actor, newCart, { id, guards: claim ? [requireUnusedKey(claim)] : [] });
    isMade = true;
    return await placeNew(deps, actor, cart, request);
  } catch (error) {
    if (error instanceof DatabaseUnreachable) throw inDoubt(error, isMade ? { cart_id: id } : {});
    if (error instanceof AppError || error instanceof IdempotencyConflict)
      await deps.db.writeResent(removeUnordered(id));
    if (error instanceof AppError) throw CART_REFUSALS.has(error.code) ? within('cart', error) : error;
    return await goOnWithTwin(deps, claim, error);
  }
}

/**
 * Places an order: one read, one batch that claims, reserves and freezes, the provider outside any transaction, one
 * batch that commits. An order that is pending from an earlier call is gone on with instead of making a second one.
 * Once a batch may have been written, a database that does not answer leaves the payment in doubt: nothing is lost.
 */
export async function placeOrder(deps: Deps, actor: Actor, input: NewOrder, claim: Claim | null): Promise<Placed> {
  const request = { input, claim };
  try {
    return await (input.cart_id === undefined
      ? placeInline(deps, actor, input.cart ?? {}, request)
      : placeFromCart(deps, actor, input.cart_id, request));
  } catch (error) {
    throw error instanceof DatabaseUnreachable ? inDoubt(error, {}) : error;
  }
}
