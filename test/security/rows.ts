import { randomUUID } from 'node:crypto';
import { call, createSku, MANUAL, placeOrder, readyCart } from '../support/shop.ts';
import type { Cast, Session } from './cast.ts';
import { type Answer, type Caller, pathNames, type Target } from './operations.ts';

/** What somebody owns, by the segment of a path that the id follows. */
export type Rows = Record<string, string>;

/** Named by a path, and nobody's own. */
const NOT_OWNED = new Set(['discount-codes', 'oidc', 'products', 'categories', 'markets', 'webhooks']);

/** Of the demo shop. */
const CODE = 'WELCOME10';

/** Ids that were never given out, of the same form. */
const NEVER: Rows = {
  carts: 'AAAAAAAAAAAAAAAAAAAAAA',
  items: randomUUID(),
  orders: randomUUID(),
  addresses: randomUUID(),
  sessions: randomUUID(),
};

/** One row of each kind that a path can name. */
export async function makeRows({ stack }: Cast, { accountId, sessionId, token }: Session): Promise<Rows> {
  const sku = await createSku(stack, { stock: 10 });
  const items = [{ sku_id: sku.id, quantity: 1 }];
  const [cart, ordered] = [await readyCart(stack, items, { token }), await readyCart(stack, items, { token })];
  await call(stack, 'POST', `/carts/${cart.id}/discount-codes`, { code: CODE }, { token });
  const { body } = await placeOrder(stack, ordered.id, MANUAL, { token });
  const address = randomUUID();
  await stack.owner.query(`insert into customer_addresses (id, customer_id, address) values ($1, $2, $3)`, [
    address,
    accountId,
    { ...cart.shipping_address },
  ]);
  return {
    carts: cart.id,
    items: cart.items[0].id,
    orders: body.id,
    addresses: address,
    sessions: sessionId,
    'discount-codes': CODE,
  };
}

/** Each parameter of a path with the segment before it. */
function namesOf({ path }: Target): [name: string, segment: string][] {
  const found = [...path.matchAll(/\/([^/{}]+)\/\{(\w+)\}/g)].map(
    ([, segment = '', name = '']) => [name, segment] as [string, string],
  );
  if (found.length !== pathNames(path).length) throw new Error(`what are the ids of ${path}? Say it in rows.ts`);
  return found;
}

/** The ids that a path names and that belong to somebody. */
export function ownedNames(target: Target): [name: string, segment: string][] {
  const owned = namesOf(target).filter(([, segment]) => !NOT_OWNED.has(segment));
  const unknown = owned.filter(([, segment]) => NEVER[segment] === undefined);
  if (unknown.length > 0) throw new Error(`no row for ${unknown.join(', ')} of ${target.path}: add one to rows.ts`);
  return owned;
}

const VOLATILE = new Set(['date', 'ratelimit-remaining', 'ratelimit-reset', 'traceparent']);
const visible = ({ status, headers, text }: Answer) =>
  JSON.stringify([status, text, [...headers].filter(([name]) => !VOLATILE.has(name))]);

export interface Stranger {
  name: string;
  token: string | undefined;
  /** The stranger's own rows, to hang somebody else's from. */
  rows?: Rows;
}

/** Somebody else's rows must look like rows that never were, to the byte; says of each that does not. */
export async function ownershipFaults(
  caller: Caller,
  target: Target,
  { strangers, rows }: { strangers: readonly Stranger[]; rows: Rows },
): Promise<string[]> {
  const owned = ownedNames(target);
  const faults: string[] = [];
  for (const stranger of strangers) {
    const depths = owned.map((_each, at) => at).filter((at) => at === 0 || stranger.rows !== undefined);
    for (const depth of depths) {
      const idsOf = (from: Rows) =>
        Object.fromEntries(
          owned.map(([name, segment], at) => [name, (at < depth ? stranger.rows : from)?.[segment] ?? '']),
        );
      const refused = await caller.send(target, stranger.token, { ids: idsOf(rows) });
      const absent = await caller.send(target, stranger.token, { ids: idsOf(NEVER) });
      const who = `${stranger.name}, id ${depth + 1}`;
      if (refused.status !== 404) faults.push(`${who}: ${refused.status} instead of 404: ${refused.text}`);
      else if (visible(refused) !== visible(absent)) faults.push(`${who}: ${refused.text} is not ${absent.text}`);
    }
  }
  return faults;
}

/** The owner's own way in, so that the 404 of strangers says something. */
export async function isOwnersOwn(caller: Caller, target: Target, token: string, rows: Rows): Promise<boolean> {
  const ids = Object.fromEntries(namesOf(target).map(([name, segment]) => [name, rows[segment] ?? '']));
  const { status } = await caller.send(target, token, { ids });
  return status !== 401 && status !== 403 && status !== 404;
}
