import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';
import { call, type Json } from '../support/shop.ts';
import { auditOf, createClerk, createLocation, levelRow, made, order } from './fixture.ts';
import { refusal, stocked, stockFaults, type Clerk, type Stocked } from './fixture.ts';

let stack: Stack;
let clerk: Clerk;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createClerk(stack);
});
afterAll(() => stack.close());

describe('stock locations', () => {
  test('are opened, read and listed in the order in which they are allocated from', async () => {
    const location = await createLocation(clerk, { priority: 40, countries: ['US', 'CA'] });
    expect(location).toMatchObject({ priority: 40, countries: ['US', 'CA'], active: true, version: 1 });
    expect((await clerk.get(`/stock-locations/${location.id}`)).body).toEqual(location);
    const other = await createLocation(clerk, { priority: 39 });
    const seen: Json[] = [];
    for (let cursor = ''; ;) {
      const page = made(await clerk.get(`/stock-locations?limit=2${cursor}`));
      seen.push(...page.data);
      if (!page.has_more) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    const ids = seen.map(({ id }) => id);
    expect(ids.indexOf(other.id)).toBeLessThan(ids.indexOf(location.id));
    expect(new Set(ids).size).toBe(ids.length);
    const priorities = seen.map(({ priority }) => priority);
    expect(priorities).toEqual(priorities.toSorted((a, b) => a - b));
  });

  test('a code is given once, and a key that is used again opens one', async () => {
    const location = await createLocation(clerk);
    const again = { code: location.code, name: 'Another' };
    expect(refusal(await clerk.post('/stock-locations', again))).toEqual([409, 'conflict', 'code']);
    const body = { code: `k-${randomUUID().slice(0, 8)}`, name: 'Keyed' };
    const first = await clerk.post('/stock-locations', body, { key: 'open' });
    const second = await clerk.post('/stock-locations', body, { key: 'open' });
    expect([second.status, second.body]).toEqual([201, first.body]);
  });

  test('change under If-Match, and are in the audit log', async () => {
    const location = await createLocation(clerk);
    const path = `/stock-locations/${location.id}`;
    const etag = (await clerk.get(path)).headers.get('etag');
    const patch = { name: 'New name', active: false };
    expect(refusal(await clerk.patch(path, patch, { ifMatch: null }))).toEqual([
      428,
      'precondition_required',
      'If-Match',
    ]);
    expect(made(await clerk.patch(path, patch, { ifMatch: etag }))).toMatchObject({ ...patch, version: 2 });
    expect(refusal(await clerk.patch(path, patch, { ifMatch: etag }))).toEqual([
      412,
      'precondition_failed',
      'If-Match',
    ]);
    expect(await auditOf(stack, location.id)).toEqual([
      { action: 'stock_locations.create', actor_id: clerk.id, details: {} },
      { action: 'stock_locations.update', actor_id: clerk.id, details: { fields: ['name', 'active'] } },
    ]);
  });

  test('refusals', async () => {
    const post = async (change: object) =>
      refusal(await clerk.post('/stock-locations', { code: 'fine', name: 'Fine', ...change }));
    expect(await post({ code: 'Not Fine' })).toEqual([422, 'validation_failed', 'code']);
    expect(await post({ name: ' ' })).toEqual([422, 'validation_failed', 'name']);
    expect(await post({ countries: ['us'] })).toEqual([422, 'validation_failed', 'countries[0]']);
    expect(await post({ priority: 1001 })).toEqual([422, 'validation_failed', 'priority']);
    const unknown = `/stock-locations/${randomUUID()}`;
    expect(refusal(await clerk.get(unknown))).toEqual([404, 'not_found', 'id']);
    expect(refusal(await clerk.patch(unknown, {}))).toEqual([404, 'not_found', 'id']);
    const huge = Buffer.from(`[9007199254740991,"${randomUUID()}"]`).toString('base64url');
    expect(refusal(await clerk.get(`/stock-locations?cursor=${huge}`))).toEqual([400, 'malformed_request', 'cursor']);
    const reader = await createClerk(stack, ['inventory:read']);
    expect((await reader.post('/stock-locations', { code: 'x', name: 'X' })).body.code).toBe('forbidden');
  });
});

describe('an order is allocated', () => {
  const put = async (sku: Stocked, location: Json, set: number) =>
    made(
      await clerk.post('/inventory/adjustments', { sku_id: sku.id, location_id: location.id, set, reason: 'received' }),
    );
  const reserved = async (sku: Stocked, ...locations: string[]) =>
    await Promise.all(locations.map(async (id) => (await levelRow(stack, sku.id, id)).reserved));

  test('from the location that serves the destination, then by priority, and over several where one has too few', async () => {
    const sku = await stocked(stack, 2);
    const german = await createLocation(clerk, { priority: 90, countries: ['DE', 'AT'] });
    const last = await createLocation(clerk, { priority: 80 });
    await put(sku, german, 2);
    await put(sku, last, 2);
    made(await order(stack, sku.id, 1, { market: 'eu' }));
    expect(await reserved(sku, sku.locationId, german.id, last.id)).toEqual([0, 1, 0]);
    made(await order(stack, sku.id, 1));
    expect(await reserved(sku, sku.locationId, german.id, last.id)).toEqual([1, 1, 0]);
    made(await order(stack, sku.id, 3, { market: 'eu' }));
    expect(await reserved(sku, sku.locationId, german.id, last.id)).toEqual([2, 2, 1]);
    expect((await order(stack, sku.id, 2)).body.errors).toMatchObject([{ requested: 2, available: 1 }]);
  });

  test('from units that are there before any that have yet to come, whichever location is first', async () => {
    const sku = await stocked(stack, 0);
    const behind = await createLocation(clerk, { priority: 90 });
    made(await clerk.patch(sku.path, { backorder_limit: 100 }));
    await put(sku, behind, 50);
    made(await order(stack, sku.id, 10));
    expect(await reserved(sku, sku.locationId, behind.id)).toEqual([0, 10]);
    // A location that gives of both holds them as one promise.
    await put(sku, { id: sku.locationId }, 1);
    made(await clerk.patch(`/inventory/${sku.id}/${behind.id}`, { backorder_limit: 5, safety_stock: 1 }));
    const { id } = made(await order(stack, sku.id, 50));
    expect(await reserved(sku, sku.locationId, behind.id)).toEqual([11, 49]);
    expect(made(await clerk.get(`/reservations?order_id=${id}`)).data).toHaveLength(2);
  });

  test('from none that is closed, whose stock is kept and promised to nobody more', async () => {
    const sku = await stocked(stack, 1);
    const { productId } = (
      await stack.owner.query('select product_id as "productId" from skus where id = $1', [sku.id])
    ).rows[0];
    const location = await createLocation(clerk, { priority: -5, countries: ['US'] });
    await put(sku, location, 3);
    made(await order(stack, sku.id, 1));
    expect(await reserved(sku, sku.locationId, location.id)).toEqual([0, 1]);

    made(await clerk.patch(`/stock-locations/${location.id}`, { active: false }));
    const level = made(await clerk.get(`/inventory/${sku.id}/${location.id}`));
    expect(level).toMatchObject({ on_hand: 3, reserved: 1, available: 0 });
    const shown = await call(stack, 'GET', `/products/test-${sku.id}`);
    expect([productId, shown.body.skus[0].available_quantity]).toEqual([shown.body.id, 1]);
    expect((await order(stack, sku.id, 2)).body.errors).toMatchObject([{ requested: 2, available: 1 }]);
    made(await order(stack, sku.id, 1));
    const hold = { sku_id: sku.id, location_id: location.id, quantity: 1 };
    expect(refusal(await clerk.post('/reservations', hold))).toEqual([409, 'insufficient_stock', 'quantity']);
  });
});

test('after all of this every level is what its movements sum to, and promises what is reserved', async () => {
  expect(await stockFaults(stack)).toEqual([]);
});
