import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, MANUAL, pay, placeOrder, readyCart, type Json } from '../support/shop.ts';
import { blockedIn } from '../support/locks.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { auditOf, createClerk, createLocation, levelRow, made, order } from './fixture.ts';
import { refusal, stocked, stockFaults, type Clerk, type Stocked } from './fixture.ts';

let stack: Stack;
let clerk: Clerk;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createClerk(stack);
});
afterAll(() => stack.close());

type Part = readonly [sku: Stocked, quantity: number];
const componentsOf = (parts: readonly Part[]) => parts.map(([{ id }, quantity]) => ({ sku_id: id, quantity }));

async function kitOf(...parts: Part[]): Promise<Stocked> {
  const kit = await stocked(stack, 0);
  made(await clerk.put(`/kits/${kit.id}`, { components: componentsOf(parts) }));
  return kit;
}

const reservedOf = async ({ id, locationId }: Stocked) => (await levelRow(stack, id, locationId)).reserved;
const shownQuantity = async ({ id }: Stocked) =>
  (await call(stack, 'GET', `/products/test-${id}`)).body.skus[0].available_quantity;

describe('a kit', () => {
  test('is made of SKUs, changed under If-Match, and no kit any more without them', async () => {
    const [bolt, nut, kit] = [await stocked(stack, 9), await stocked(stack, 9), await stocked(stack, 0)];
    const path = `/kits/${kit.id}`;
    const none = await clerk.get(path);
    expect(none.body).toEqual({ sku_id: kit.id, version: 0, components: [] });
    const components = componentsOf([
      [bolt, 2],
      [nut, 3],
    ]);
    const put = (ifMatch: string | null, options = {}) => clerk.put(path, { components }, { ifMatch, ...options });
    expect(refusal(await put(null))).toEqual([428, 'precondition_required', 'If-Match']);
    const made1 = made(await put(none.headers.get('etag')));
    expect(made1).toMatchObject({ sku_id: kit.id, version: 1 });
    expect(made1.components.toSorted(byId)).toEqual(components.toSorted(byId));
    expect(refusal(await put(none.headers.get('etag')))).toEqual([412, 'precondition_failed', 'If-Match']);
    expect(made(await clerk.put(path, { components: [] }))).toEqual({ sku_id: kit.id, version: 2, components: [] });
    expect(await auditOf(stack, kit.id)).toMatchObject([
      { action: 'kits.replace', actor_id: clerk.id, details: { components: [bolt.id, nut.id] } },
      { action: 'kits.replace', details: { components: [] } },
    ]);
  });

  test('is not made of kits, of itself, of what is not there, or of a SKU with stock', async () => {
    const [part, full] = [await stocked(stack, 5), await stocked(stack, 1)];
    const kit = await kitOf([part, 1]);
    const put = async (id: string, ...parts: Part[]) =>
      refusal(await clerk.put(`/kits/${id}`, { components: componentsOf(parts) }));
    const outer = await stocked(stack, 0);
    expect(await put(outer.id, [kit, 1])).toEqual([422, 'validation_failed', 'components']);
    expect(await put(outer.id, [outer, 1])).toEqual([422, 'validation_failed', 'components']);
    expect(await put(outer.id, [{ ...outer, id: randomUUID() }, 1])).toEqual([404, 'not_found', 'components']);
    expect(await put(outer.id, [part, 1], [part, 2])).toEqual([422, 'validation_failed', 'components']);
    expect(await put(outer.id, [part, 0])).toEqual([422, 'validation_failed', 'components[0].quantity']);
    expect(await put(randomUUID(), [part, 1])).toEqual([404, 'not_found', 'sku_id']);
    expect(await put(full.id, [part, 1])).toEqual([409, 'conflict', 'sku_id']);
    made(await clerk.post('/inventory/adjustments', { sku_id: full.id, set: 0, reason: 'count' }));
    expect(await put(full.id, [part, 1])).toEqual([200, undefined, undefined]);
    expect(await put(part.id, [outer, 1])).toEqual([422, 'validation_failed', 'components']);
    const reader = await createClerk(stack, ['inventory:read']);
    expect((await reader.put(`/kits/${outer.id}`, { components: [] })).body.code).toBe('forbidden');
  });

  test('has no stock of its own to count, hold or move', async () => {
    const kit = await kitOf([await stocked(stack, 5), 1]);
    const location = await createLocation(clerk);
    const own = { sku_id: kit.id };
    const requests: [string, Json][] = [
      ['/inventory/adjustments', { ...own, delta: 1, reason: 'received' }],
      ['/reservations', { ...own, quantity: 1 }],
      ['/inventory/transfers', { ...own, from_location_id: kit.locationId, to_location_id: location.id, quantity: 1 }],
    ];
    for (const [path, body] of requests) {
      expect(refusal(await clerk.post(path, body))).toEqual([409, 'conflict', 'sku_id']);
    }
  });

  test('a component that becomes a kit at the same time: no kit of kits', async () => {
    const [inner, outer, part] = [await stocked(stack, 0), await stocked(stack, 0), await stocked(stack, 5)];
    const replied = await whileChanged(
      inner,
      async (client) => {
        await client.query('insert into kits (sku_id) values ($1)', [inner.id]);
        await client.query('insert into kit_components values ($1, $2, 1)', [inner.id, part.id]);
      },
      () => clerk.put(`/kits/${outer.id}`, { components: componentsOf([[inner, 1]]) }),
    );
    expect(refusal(replied)).toEqual([422, 'validation_failed', 'components']);
  });

  test('two that would be made of each other at once: one of them is refused', async () => {
    const [one, other] = [await stocked(stack, 0), await stocked(stack, 0)];
    const replies = await Promise.all([
      clerk.put(`/kits/${one.id}`, { components: componentsOf([[other, 1]]) }),
      clerk.put(`/kits/${other.id}`, { components: componentsOf([[one, 1]]) }),
    ]);
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 422]);
  });
});

/** Starts `work` while the kit is being changed by somebody, who commits once it waits for them. */
async function whileChanged<T>(
  kit: Stocked,
  change: (client: PoolClient) => Promise<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  const client = await stack.owner.connect();
  try {
    await client.query('begin');
    await client.query('select from skus where id = $1 for update', [kit.id]);
    await change(client);
    const working = work();
    await expect.poll(() => blockedIn(stack), { timeout: 30_000 }).toBeGreaterThan(0);
    await client.query('commit');
    return await working;
  } finally {
    client.release();
  }
}

const byId = (a: Json, b: Json) => a.sku_id.localeCompare(b.sku_id);

describe('kits that share components', () => {
  test('there are as many as the scarcest component makes, in catalog and cart', async () => {
    const [a, b] = [await stocked(stack, 7), await stocked(stack, 100)];
    const kit = await kitOf([a, 2], [b, 5]);
    expect(await shownQuantity(kit)).toBe(3);
    const cart = await readyCart(stack, [{ sku_id: kit.id, quantity: 4 }]);
    expect(cart.items[0]).toMatchObject({ available: false, available_quantity: 3 });
    made(await order(stack, a.id, 2));
    expect(await shownQuantity(kit)).toBe(2);
    made(await clerk.post('/inventory/adjustments', { sku_id: a.id, delta: 50, reason: 'received' }));
    expect(await shownQuantity(kit)).toBe(20);
  });

  test('an order takes components for kits and for single units together, all or nothing', async () => {
    const [shared, left, right] = [await stocked(stack, 5), await stocked(stack, 9), await stocked(stack, 9)];
    const [one, two] = [await kitOf([shared, 1], [left, 2]), await kitOf([shared, 2], [right, 1])];
    const lines = (kit1: number, kit2: number, single: number) => [
      { sku_id: one.id, quantity: kit1 },
      { sku_id: two.id, quantity: kit2 },
      { sku_id: shared.id, quantity: single },
    ];
    const tooMany = await placeOrder(stack, (await readyCart(stack, lines(2, 1, 2))).id, MANUAL);
    expect(tooMany.body.code).toBe('insufficient_stock');
    expect(tooMany.body.errors).toMatchObject([
      { sku_id: one.id, requested: 2, available: 1 },
      { sku_id: two.id, requested: 1, available: 0 },
      { sku_id: shared.id, requested: 2, available: 1 },
    ]);
    expect(await Promise.all([shared, left, right].map(reservedOf))).toEqual([0, 0, 0]);

    const placed = made(await placeOrder(stack, (await readyCart(stack, lines(2, 1, 1))).id, MANUAL));
    expect(await Promise.all([shared, left, right].map(reservedOf))).toEqual([5, 4, 1]);
    const { rows } = await stack.owner.query(
      'select components from order_items where order_id = $1 order by position',
      [placed.id],
    );
    expect(rows.map(({ components }) => components?.toSorted(byId) ?? null)).toEqual([
      componentsOf([
        [shared, 1],
        [left, 2],
      ]).toSorted(byId),
      componentsOf([
        [shared, 2],
        [right, 1],
      ]).toSorted(byId),
      null,
    ]);
    expect([await shownQuantity(one), await shownQuantity(two), await shownQuantity(shared)]).toEqual([0, 0, 0]);
  });

  test('a declined payment gives back every component, also when the kit is made of others by then', async () => {
    const [a, b, c] = [await stocked(stack, 4), await stocked(stack, 4), await stocked(stack, 4)];
    const kit = await kitOf([a, 1], [b, 2]);
    const cart = await readyCart(stack, [{ sku_id: kit.id, quantity: 2 }]);
    expect((await placeOrder(stack, cart.id, pay('tok_declined'))).status).toBe(402);
    expect([await reservedOf(a), await reservedOf(b)]).toEqual([0, 0]);

    const waiting = made(await placeOrder(stack, cart.id, pay('tok_requires_action')));
    expect([await reservedOf(a), await reservedOf(b)]).toEqual([2, 4]);
    made(await clerk.put(`/kits/${kit.id}`, { components: componentsOf([[c, 1]]) }));
    await fetch(waiting.payments[0].next_action.url, {
      method: 'POST',
      body: new URLSearchParams({ outcome: 'failure' }),
    });
    await expect.poll(async () => [await reservedOf(a), await reservedOf(b), await reservedOf(c)]).toEqual([0, 0, 0]);
  });

  test('a kit that is changed while it is ordered: what is frozen is what is reserved', async () => {
    const [a, b] = [await stocked(stack, 5), await stocked(stack, 5)];
    const kit = await kitOf([a, 1]);
    const cart = await readyCart(stack, [{ sku_id: kit.id, quantity: 1 }]);
    const placed = await whileChanged(
      kit,
      (client) => client.query('update kit_components set component_sku_id = $2 where kit_sku_id = $1', [kit.id, b.id]),
      () => placeOrder(stack, cart.id, MANUAL),
    );
    const { rows } = await stack.owner.query(
      `select i.components -> 0 ->> 'sku_id' as frozen, r.sku_id as reserved
       from order_items i join reservations r using (order_id) where i.order_id = $1`,
      [made(placed).id],
    );
    expect(rows).toEqual([{ frozen: b.id, reserved: b.id }]);
  });
});

test('after all of this every level is what its movements sum to, and promises what is reserved', async () => {
  expect(await stockFaults(stack)).toEqual([]);
});
