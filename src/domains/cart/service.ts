import { customerIdOf, type Actor } from '../../platform/auth/actor.ts';
import { AlreadyApplied } from '../../platform/db/errors.ts';
import type { Sql } from '../../platform/db/sql.ts';
import type { FunnelStep } from '../../platform/telemetry/names.ts';
import type { Deps } from '../../platform/deps.ts';
import { notFound } from '../../platform/errors.ts';
import { claimStatements, type Claim } from '../../platform/http/idempotency.ts';
import {
  addDiscountCodes,
  addItems,
  changeCart,
  insertCart,
  patchCart,
  removeDiscountCode,
  requireNewCart,
  setQuantity,
} from './queries/change.ts';
import { lockAdoption, mergeCarts, takeOwnership } from './queries/adopt.ts';
import type { CartPatch, NewCart, NewItem } from './schema.ts';
import { cartView, type CartRow } from './queries/view.ts';

/** Reading may adopt, so a customer's read is a batch that writes; sent twice it still adopts once. */
async function readAs(deps: Deps, customerId: string | null, id: string): Promise<CartRow | null> {
  const view = cartView(id, customerId);
  if (customerId === null) {
    const [[row]] = await deps.db.read(view);
    return row ?? null;
  }
  const used = { id, customerId };
  const adoption = [...lockAdoption(used), takeOwnership(used), ...mergeCarts(id)];
  return await deps.db.commit(adoption, view, { resend: true });
}

/**
 * One round trip; 404 for a cart that is absent, expired or somebody else's. A guest's open cart becomes the customer's who
 * reads it, and what their newest open cart of the same market holds moves into it.
 */
export async function getCart(deps: Deps, actor: Actor, id: string): Promise<CartRow> {
  const row = await readAs(deps, customerIdOf(actor), id);
  if (!row) throw notFound('cart');
  return row;
}

/**
 * One batch behind `guards`. A lost reply is answered by sending it again: the id is ours, so a resend meets its own cart.
 */
export async function createCart(
  deps: Deps,
  actor: Actor,
  input: NewCart,
  { id, guards }: { id: string; guards: readonly Sql[] },
): Promise<CartRow> {
  const key = { id, customerId: customerIdOf(actor) };
  const items = withIds(deps, input.items ?? []);
  const statements = [
    requireNewCart(id),
    ...guards,
    ...insertCart(key, input),
    ...(items.length > 0 ? addItems(id, items, 'items') : []),
    ...(input.discount_codes?.length ? addDiscountCodes(id, input.discount_codes, 'discount_codes') : []),
    ...patchCart(id, input),
  ];
  try {
    const row = await deps.db.commit(statements, cartView(id, key.customerId), { resend: true });
    if (row) {
      countStep(deps, 'cart_created');
      if (items.length > 0) countStep(deps, 'item_added');
      countPatched(deps, input);
      return row;
    }
  } catch (error) {
    if (!(error instanceof AlreadyApplied)) throw error;
  }
  return await getCart(deps, actor, id);
}

function withIds(deps: Deps, items: readonly NewItem[]): (NewItem & { id: string })[] {
  return items.map((item) => ({ ...item, id: deps.ids.uuid() }));
}

export interface CartChange {
  id: string;
  /** The versions that If-Match names, or null. */
  versions: readonly number[] | null;
  claim: Claim | null;
}

/** What is added comes before a merge, which takes only the room that is left; what is set comes after it, and holds. */
interface Changes {
  added?: readonly Sql[];
  set?: readonly Sql[];
}

/**
 * One batch: claim, lock, change, read back; refused as a whole or done as a whole. A lost reply is resent only under a
 * claim, because a second relative change would count twice. A customer's change of a guest's cart adopts it.
 */
async function change(
  deps: Deps,
  actor: Actor,
  { id, versions, claim }: CartChange,
  { added = [], set = [] }: Changes,
): Promise<CartRow> {
  const customerId = customerIdOf(actor);
  const [lock, merge] = customerId === null ? [[], []] : [lockAdoption({ id, customerId }), mergeCarts(id)];
  const row = await deps.db.commit(
    [...claimStatements(claim, id), ...lock, ...changeCart({ id, customerId }, versions), ...added, ...merge, ...set],
    cartView(id, customerId),
    { resend: claim !== null },
  );
  if (!row) throw notFound('cart');
  return row;
}

/** One step of the funnel that was done. */
function countStep({ metrics }: Deps, step: FunnelStep): void {
  metrics.count('ecommerce_checkout_step_total', [step]);
}

function countPatched(deps: Deps, patch: CartPatch): void {
  if (patch.shipping_address) countStep(deps, 'address_set');
  if (patch.shipping_option_id) countStep(deps, 'shipping_chosen');
}

type Verb<Input> = (deps: Deps, actor: Actor, on: CartChange, input: Input) => Promise<CartRow>;

export const updateCart: Verb<CartPatch> = async (deps, actor, on, patch) => {
  const row = await change(deps, actor, on, { set: patchCart(on.id, patch) });
  countPatched(deps, patch);
  return row;
};

export const addItem: Verb<NewItem> = async (deps, actor, on, item) => {
  const row = await change(deps, actor, on, { added: addItems(on.id, withIds(deps, [item]), 'body') });
  countStep(deps, 'item_added');
  return row;
};

/** Quantity 0 removes the line. */
export const setItemQuantity: Verb<{ itemId: string; quantity: number }> = (deps, actor, on, { itemId, quantity }) =>
  change(deps, actor, on, { set: [setQuantity(on.id, itemId, quantity)] });

export const applyDiscountCode: Verb<string> = (deps, actor, on, code) =>
  change(deps, actor, on, { added: addDiscountCodes(on.id, [code], 'code') });

export const dropDiscountCode: Verb<string> = (deps, actor, on, code) =>
  change(deps, actor, on, { set: [removeDiscountCode(on.id, code)] });
