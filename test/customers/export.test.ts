import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type Json, MANUAL, createSku, placeOrder, readyCart } from '../support/shop.ts';
import { createApiKey, createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type Known, liveThere, type Lived, registerKnown } from './fixture.ts';

let stack: Stack;
let person: Known;
let lived: Lived;
beforeAll(async () => {
  stack = await startStack();
  // A webhook that comes late would be counted among the round trips.
  stack.provider.setWebhookMode('hold');
  person = await registerKnown(stack);
  lived = await liveThere(stack, person);
});
afterAll(() => stack.close());

const own = ({ token }: { token: string }) => call(stack, 'GET', '/customers/me/export', undefined, { token });
const idsOf = (rows: Json[]): string[] => rows.map(({ id }) => id);

describe('an export', () => {
  test('holds all that is held of the person, and is kept nowhere on the way', async () => {
    const { status, body, headers } = await own(person);
    expect([status, headers.get('cache-control')]).toEqual([200, 'private, no-store']);
    const { address, note, email } = person;
    expect(body.customer).toMatchObject({
      id: person.id,
      email,
      first_name: address['first_name'],
      last_name: address['last_name'],
      phone: address['phone'],
    });
    expect(body.sign_in).toMatchObject({ has_password: true, has_second_factor: false, providers: [] });
    expect(body.sign_in.sessions).toHaveLength(1);
    expect(body.addresses).toMatchObject([{ ...address, is_default_shipping: true }]);
    expect(idsOf(body.orders)).toEqual([lived.orders.confirmed.id, lived.orders.captured.id, lived.orders.declined]);
    expect(body.orders.slice(0, 2)).toEqual([lived.orders.confirmed, lived.orders.captured]);
    expect(idsOf(body.carts)).toContain(lived.carts.open);
    for (const cart of body.carts) {
      expect(cart).toMatchObject({ email, note, shipping_address: address, billing_address: address });
    }
  });

  test('holds no secret and no digest of one', async () => {
    const { text } = await own(person);
    const { rows } = await stack.owner.query('select password_hash from accounts where id = $1', [person.id]);
    for (const secret of [person.password, rows[0].password_hash, 'scrypt$', 'totp_secret', 'digest']) {
      expect(text).not.toContain(secret);
    }
    expect(text).not.toMatch(/eyJ[\w-]*\.[\w-]*\./);
  });

  test('holds nothing of anybody else', async () => {
    const other = await registerKnown(stack);
    await liveThere(stack, other);
    const { text } = await own(person);
    for (const theirs of [other.id, ...other.strings]) expect(text).not.toContain(theirs);
  });

  test('holds what a guest ordered under the same e-mail once that is proved, not before', async () => {
    const mine = await registerKnown(stack);
    const { id } = await createSku(stack, { stock: 9 });
    const cart = await readyCart(stack, [{ sku_id: id, quantity: 1 }]);
    await call(stack, 'PATCH', `/carts/${cart.id}`, { email: mine.email.toUpperCase() });
    const placed = await placeOrder(stack, cart.id, MANUAL);
    const before = (await own(mine)).body;
    expect([before.orders, before.carts]).toEqual([[], []]);
    await stack.owner.query('update accounts set email_verified_at = now() where id = $1', [mine.id]);
    const after = (await own(mine)).body;
    expect([idsOf(after.orders), idsOf(after.carts)]).toEqual([[placed.body.id], [cart.id]]);
    expect(after.orders[0]).not.toHaveProperty('guest_token');
  });

  test('is one round trip', async () => {
    stack.neon.clear();
    await own(person);
    expect(stack.neon.exchanges).toHaveLength(1);
  });
});

describe('staff', () => {
  const ask = (id: string, token: string) => call(stack, 'GET', `/admin/customers/${id}/export`, undefined, { token });
  const noted = async (id: string) =>
    (
      await stack.owner.query(
        `select actor_kind, actor_id, details from audit_log where action = 'customers.export' and resource_id = $1 order by id`,
        [id],
      )
    ).rows;

  test('who may read customers get the same, and it is written down who looked', async () => {
    const someone = await registerKnown(stack);
    const staff = await createStaff(stack, 'support');
    const { key, id: keyId } = await createApiKey(stack, ['customers:read']);
    const { exported_at: _at, ...mine } = (await own(someone)).body;
    expect((await ask(someone.id, staff.token)).body).toMatchObject(mine);
    expect((await ask(someone.id, key)).status).toBe(200);
    expect(await noted(someone.id)).toEqual([
      { actor_kind: 'staff', actor_id: staff.id, details: {} },
      { actor_kind: 'key', actor_id: keyId, details: {} },
    ]);
    expect((await own(someone)).body.activity).toMatchObject([
      { action: 'customers.export', actor_kind: 'staff' },
      { action: 'customers.export', actor_kind: 'key' },
    ]);
  });

  test('who may not are refused, and one who is no customer is not there', async () => {
    const catalog = await createStaff(stack, 'catalog');
    expect((await ask(person.id, catalog.token)).status).toBe(403);
    expect((await ask(person.id, person.token)).status).toBe(403);
    const staff = await createStaff(stack, 'support');
    for (const id of ['0199a1b2-0000-7000-8000-000000000001', staff.id, 'nonsense']) {
      expect((await ask(id, staff.token)).status).toBe(404);
      expect(await noted(id)).toEqual([]);
    }
  });
});
