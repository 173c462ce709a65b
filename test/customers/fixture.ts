import { randomUUID } from 'node:crypto';
import { call, createSku, type Json, MANUAL, pay, type Reply } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';

/** Somebody every string of whom is found nowhere else, so that a dump shows whatever is left of them. */
export interface Known {
  id: string;
  email: string;
  password: string;
  token: string;
  refreshToken: string;
  address: typeof PLACE & Record<string, string>;
  note: string;
  /** What must be found nowhere when they are gone. */
  strings: string[];
}

const PLACE = { country: 'US', region: 'NY' };

const unique = (what: string) => `${what}${randomUUID().replaceAll('-', '')}`;

export async function registerKnown(stack: Stack): Promise<Known> {
  const own = {
    first_name: unique('First'),
    last_name: unique('Last'),
    company: unique('Company'),
    line1: unique('Street'),
    line2: unique('Floor'),
    city: unique('City'),
    postal_code: unique('').slice(0, 18),
    phone: unique('+1').slice(0, 38),
  };
  const email = `${unique('mail')}@known.example.test`;
  const [password, note] = [unique('password'), unique('Note')];
  const { first_name, last_name } = own;
  const { status, body, text } = await call(stack, 'POST', '/auth/register', {
    email,
    password,
    first_name,
    last_name,
  });
  if (status !== 201) throw new Error(text);
  return {
    id: body.customer.id,
    email,
    password,
    token: body.access_token,
    refreshToken: body.refresh_token,
    address: { ...own, ...PLACE },
    note,
    strings: [email, email.slice(0, email.indexOf('@')), password, note, ...Object.values(own)],
  };
}

export interface Lived {
  orders: { confirmed: Json; captured: Json; declined: string };
  carts: { open: string };
  keys: string[];
}

const accepted = async (asked: Promise<Reply>, ...statuses: number[]): Promise<Reply> => {
  const reply = await asked;
  if (!statuses.includes(reply.status)) throw new Error(reply.text);
  return reply;
};

/** The person uses every route that takes something of theirs, always with a key, so that each reply is stored, too. */
export async function liveThere(stack: Stack, person: Known): Promise<Lived> {
  const { token, email, address, note } = person;
  const keys: string[] = [];
  const send = (method: string, path: string, body: unknown, ...statuses: number[]) => {
    const key = randomUUID();
    keys.push(key);
    return accepted(call(stack, method, path, body, { token, key }), ...statuses);
  };
  const { id: sku_id } = await createSku(stack, { stock: 100 });
  const items = [{ sku_id, quantity: 2 }];
  const cart = { market: 'us', items, email, shipping_address: address, billing_address: address, note };

  await send('PATCH', '/customers/me', { phone: address['phone'] }, 200);
  await send('POST', '/customers/me/addresses', { ...address, is_default_shipping: true }, 201);
  const gone = await send('POST', '/customers/me/addresses', address, 201);
  await send('PATCH', `/customers/me/addresses/${gone.body.id}`, { city: address['city'] }, 200);
  await send('DELETE', `/customers/me/addresses/${gone.body.id}`, undefined, 204);

  const open = (await send('POST', '/carts?expand=shipping_options', cart, 201)).body;
  const shipping_option_id = open.shipping_options[0].id;
  await send('PATCH', `/carts/${open.id}`, { note, shipping_option_id }, 200);
  const ordered = (await send('POST', '/carts', { ...cart, shipping_option_id }, 201)).body;
  const confirmed = (await send('POST', '/orders', { cart_id: ordered.id, payment: MANUAL }, 201)).body;
  const inline = { cart: { ...cart, shipping_option_id }, payment: pay('tok_ok') };
  const captured = (await send('POST', '/orders', inline, 201)).body;
  const declined = await send('POST', '/orders', { ...inline, payment: pay('tok_declined') }, 402);
  return { orders: { confirmed, captured, declined: declined.body.order_id }, carts: { open: open.id }, keys };
}

/** Every row of every table, as text. */
async function dump(stack: Stack): Promise<Map<string, string>> {
  const { rows: tables } = await stack.owner.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const texts = new Map<string, string>();
  for (const { name } of tables) {
    const { rows } = await stack.owner.query<{ row: string }>(`select t::text as row from ${name} t`);
    texts.set(name, rows.map(({ row }) => row).join('\n'));
  }
  return texts;
}

/** Where a string of theirs is found: `table: string`. */
export async function tracesOf(stack: Stack, strings: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const [table, text] of await dump(stack)) {
    const lower = text.toLowerCase();
    found.push(...strings.filter((each) => lower.includes(each.toLowerCase())).map((each) => `${table}: ${each}`));
  }
  return found;
}
