import { Hono } from 'hono';
import * as z from 'zod';
import { body, params, query } from '../../platform/http/validate.ts';
import { ifMatchVersions, versionedEtag } from '../../platform/http/etag.ts';
import { claimStatements, GUEST_KEY_LENGTH_MIN, once, type Claim } from '../../platform/http/idempotency.ts';
import { operation } from '../../platform/http/operation.ts';
import { reply } from '../../platform/http/reply.ts';
import { uuid } from '../../platform/http/schema.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import type { AppContext, AppEnv } from '../../platform/http/context.ts';
import { toCart } from './rules.ts';
import {
  Cart,
  CartId,
  CartPatch,
  CartQuery,
  CodeInput,
  DiscountCode,
  ItemPatch,
  NewCart,
  NewItem,
  ShippingOptionList,
} from './schema.ts';
import {
  addItem,
  applyDiscountCode,
  createCart,
  dropDiscountCode,
  getCart,
  setItemQuantity,
  updateCart,
  type CartChange,
} from './service.ts';
import type { CartRow } from './queries/view.ts';

const tag = 'Cart';
const Path = z.object({ id: CartId });
const headers = { 'If-Match': 'Refuse with 412 unless the cart still has this ETag.' };
/** What the routes that change a cart have in common. */
const changeOf = (summary: string, ...errors: ErrorCode[]) =>
  operation({
    summary,
    tag,
    auth: 'optional',
    replies: { 200: Cart },
    errors: ['not_found', 'cart_already_completed', 'precondition_failed', ...errors],
    headers,
  });

async function show(c: AppContext, row: CartRow, status: 200 | 201 = 200) {
  const expand = c.req.query('expand') === 'shipping_options' ? 'shipping_options' : undefined;
  const cart = toCart(row, expand);
  await versionedEtag(c, cart.version, cart);
  return reply(c, Cart, cart, status);
}

/** Every change of a cart is one batch under an optional claim and answers the whole cart. */
function changing(c: AppContext, id: string, verb: (on: CartChange) => Promise<CartRow>): Promise<Response> {
  const current = async (cartId: string) => show(c, await getCart(c.get('deps'), c.get('actor'), cartId));
  const run = async (claim: Claim | null) => show(c, await verb({ id, versions: ifMatchVersions(c), claim }));
  return once(c, run, current);
}

const cartCore = new Hono<AppEnv>()
  .post(
    '/carts',
    operation({
      summary: 'Start a cart',
      tag,
      auth: 'optional',
      replies: { 201: Cart },
      errors: ['sku_unavailable', 'discount_code_invalid', 'shipping_option_unavailable'],
    }),
    query(CartQuery),
    body(NewCart),
    (c) => {
      const id = c.get('deps').ids.capability();
      const run = async (claim: Claim | null) =>
        show(
          c,
          await createCart(c.get('deps'), c.get('actor'), c.req.valid('json'), {
            id,
            guards: claimStatements(claim, id),
          }),
          201,
        );
      const current = async (cartId: string) => show(c, await getCart(c.get('deps'), c.get('actor'), cartId), 201);
      return once(c, run, current, { guestKeyLengthMin: GUEST_KEY_LENGTH_MIN });
    },
  )
  .get(
    '/carts/:id',
    operation({ summary: 'Read a cart', tag, auth: 'optional', replies: { 200: Cart }, errors: ['not_found'] }),
    params(Path),
    query(CartQuery),
    async (c) => show(c, await getCart(c.get('deps'), c.get('actor'), c.req.valid('param').id)),
  )
  .patch(
    '/carts/:id',
    changeOf('Set e-mail, addresses, shipping option or note', 'shipping_option_unavailable'),
    params(Path),
    query(CartQuery),
    body(CartPatch),
    (c) => {
      const { id } = c.req.valid('param');
      return changing(c, id, (on) => updateCart(c.get('deps'), c.get('actor'), on, c.req.valid('json')));
    },
  )
  .get(
    '/carts/:id/shipping-options',
    operation({
      summary: 'Shipping options that reach the cart',
      tag,
      auth: 'optional',
      replies: { 200: ShippingOptionList },
      errors: ['not_found'],
    }),
    params(Path),
    async (c) => {
      const row = await getCart(c.get('deps'), c.get('actor'), c.req.valid('param').id);
      const data = toCart(row, 'shipping_options').shipping_options ?? [];
      return reply(c, ShippingOptionList, { data, has_more: false, next_cursor: null });
    },
  );

const cartItems = new Hono<AppEnv>()
  .post(
    '/carts/:id/items',
    changeOf('Add units of a SKU', 'sku_unavailable', 'cart_full'),
    params(Path),
    query(CartQuery),
    body(NewItem),
    (c) => {
      const { id } = c.req.valid('param');
      return changing(c, id, (on) => addItem(c.get('deps'), c.get('actor'), on, c.req.valid('json')));
    },
  )
  .patch(
    '/carts/:id/items/:item_id',
    changeOf('Set the quantity of a line'),
    params(Path.extend({ item_id: uuid })),
    query(CartQuery),
    body(ItemPatch),
    (c) => {
      const { id, item_id } = c.req.valid('param');
      const { quantity } = c.req.valid('json');
      return changing(c, id, (on) => setItemQuantity(c.get('deps'), c.get('actor'), on, { itemId: item_id, quantity }));
    },
  )
  .delete(
    '/carts/:id/items/:item_id',
    changeOf('Remove a line'),
    params(Path.extend({ item_id: uuid })),
    query(CartQuery),
    (c) => {
      const { id, item_id } = c.req.valid('param');
      return changing(c, id, (on) =>
        setItemQuantity(c.get('deps'), c.get('actor'), on, { itemId: item_id, quantity: 0 }),
      );
    },
  );

const cartCodes = new Hono<AppEnv>()
  .post(
    '/carts/:id/discount-codes',
    changeOf('Add a discount code', 'discount_code_invalid'),
    params(Path),
    query(CartQuery),
    body(CodeInput),
    (c) => {
      const { id } = c.req.valid('param');
      const { code } = c.req.valid('json');
      return changing(c, id, (on) => applyDiscountCode(c.get('deps'), c.get('actor'), on, code));
    },
  )
  .delete(
    '/carts/:id/discount-codes/:code',
    changeOf('Remove a discount code'),
    params(Path.extend({ code: DiscountCode })),
    query(CartQuery),
    (c) => {
      const { id, code } = c.req.valid('param');
      return changing(c, id, (on) => dropDiscountCode(c.get('deps'), c.get('actor'), on, code));
    },
  );

export const cartRoutes = new Hono<AppEnv>().route('/', cartCore).route('/', cartItems).route('/', cartCodes);
