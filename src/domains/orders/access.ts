import { equalSecret, hmacSha256Base64url } from '../../platform/auth/hmac.ts';
import { customerIdOf, type Actor } from '../../platform/auth/actor.ts';
import type { Deps } from '../../platform/deps.ts';
import { notFound } from '../../platform/errors.ts';

/** HMAC of the order's id: whoever placed it as a guest can read it, and nothing needs storing. */
export function guestToken({ config }: Deps, orderId: string): Promise<string> {
  return hmacSha256Base64url(config.ORDER_TOKEN_SECRET, `order:${orderId}`);
}

/** How somebody comes to an order: with its token it is any, else only an order of theirs. */
export interface Access {
  /** Null: the token was right, whoever holds it. */
  customerId: string | null;
}

/** Before the order is read. Throws not_found for whoever has neither the token nor an account. */
export async function accessTo(deps: Deps, actor: Actor, id: string, token: string | undefined): Promise<Access> {
  if (token !== undefined && equalSecret(token, await guestToken(deps, id))) return { customerId: null };
  const customerId = customerIdOf(actor);
  if (customerId === null) throw notFound('order');
  return { customerId };
}

/** Once it is read; a stranger's order and a missing one are told in the same words. */
export function assertAccess({ customerId }: Access, order: { customer_id: string | null }): void {
  if (customerId !== null && customerId !== order.customer_id) throw notFound('order');
}
