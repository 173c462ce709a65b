import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pay, placeOrder, readyCart, type Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { createClerk, createLocation, levelRow, made, order, stocked, stockFaults, type Clerk } from './fixture.ts';

let stack: Stack;
let clerk: Clerk;
let worker: pg.Client;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createClerk(stack);
  worker = new pg.Client({ connectionString: stack.bindings['DATABASE_URL'] });
  await worker.connect();
});
afterAll(async () => {
  await worker.end();
  await stack.close();
});

const movements = async (skuId: string): Promise<Json[]> =>
  made(await clerk.get(`/inventory/movements?sku_id=${skuId}&limit=100`)).data;

describe('every change of a level is in the ledger', () => {
  test('with its reason, what it is for and who did it, newest first', async () => {
    const sku = await stocked(stack, 5);
    const placed = made(await order(stack, sku.id, 2));
    const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
    const { body: declined } = await placeOrder(stack, cart.id, pay('tok_declined'));
    made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, set: 1, reason: 'count' }));
    const held = await clerk.post('/reservations', { sku_id: sku.id, quantity: 1 });
    expect(held.body.code).toBe('insufficient_stock');
    made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, delta: 4, reason: 'received' }));
    const { id: holdId } = made(await clerk.post('/reservations', { sku_id: sku.id, quantity: 1 }));
    await clerk.remove(`/reservations/${holdId}`);

    const staff = `staff:${clerk.id}`;
    const row = (reason: string, deltas: number[], reference: string | null, actor: string | null) => ({
      reason,
      reference,
      actor,
      deltas,
    });
    const told = (await movements(sku.id)).map((each) =>
      row(each.reason, [each.on_hand_delta, each.reserved_delta, each.shortfall_delta], each.reference, each.actor),
    );
    expect(told).toEqual([
      row('hold_released', [0, -1, 0], holdId, staff),
      row('hold', [0, 1, 0], holdId, staff),
      row('received', [4, 0, -1], `${sku.id}/${sku.locationId}`, staff),
      row('count', [-4, 0, 1], `${sku.id}/${sku.locationId}`, staff),
      row('payment_failed', [0, -1, 0], declined.order_id, null),
      row('order_placed', [0, 1, 0], declined.order_id, null),
      row('order_placed', [0, 2, 0], placed.id, null),
      row('unspecified', [5, 0, 0], null, null),
    ]);
    expect(await stockFaults(stack)).toEqual([]);
  });

  test('also what an operator does with SQL: change, delete, move to another place', async () => {
    const sku = await stocked(stack, 5);
    const location = await createLocation(clerk);
    const run = (text: string, ...values: unknown[]) => stack.owner.query(text, [sku.id, ...values]);
    await run('update stock_levels set on_hand = 9 where sku_id = $1');
    await run('update stock_levels set location_id = $2 where sku_id = $1', location.id);
    expect(await stockFaults(stack)).toEqual([]);
    await run('delete from stock_levels where sku_id = $1');
    await run('insert into stock_levels (sku_id, location_id, on_hand) values ($1, $2, 3)', location.id);
    expect(await stockFaults(stack)).toEqual([]);
    expect((await movements(sku.id)).map((row) => [row.location_id, row.on_hand_delta, row.reason])).toEqual([
      [location.id, 3, 'unspecified'],
      [location.id, -9, 'unspecified'],
      [location.id, 9, 'unspecified'],
      [sku.locationId, -9, 'unspecified'],
      [sku.locationId, 4, 'unspecified'],
      [sku.locationId, 5, 'unspecified'],
    ]);
  });

  test('pages meet each movement once', async () => {
    const sku = await stocked(stack, 1);
    for (const delta of [1, 2, 3, 4]) {
      made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, delta, reason: 'received' }));
    }
    const seen: number[] = [];
    for (let cursor = ''; ;) {
      const page = made(
        await clerk.get(`/inventory/movements?sku_id=${sku.id}&location_id=${sku.locationId}&limit=2${cursor}`),
      );
      seen.push(...page.data.map((row: Json) => row.on_hand_delta));
      if (!page.has_more) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(seen).toEqual([4, 3, 2, 1, 1]);
  });
});

describe('the role of the Worker', () => {
  test.each([
    `insert into stock_movements (sku_id, location_id, on_hand_delta, reserved_delta, shortfall_delta, reason)
     select sku_id, location_id, 1, 0, 0, 'made up' from stock_levels limit 1`,
    'update stock_movements set on_hand_delta = 0',
    'delete from stock_movements',
    'truncate stock_movements',
    'alter table stock_levels disable trigger stock_levels_movement',
    `select append_stock_movement(sku_id, location_id, 1, 0, 0) from stock_levels limit 1`,
  ])('may not: %s', async (text) => {
    await expect(worker.query(text)).rejects.toMatchObject({ code: '42501' });
  });

  test('cannot lead the ledger astray with a table of the same name', async () => {
    const sku = await stocked(stack, 5);
    await worker.query('begin');
    await worker.query('create temp table stock_movements (like public.stock_movements including all) on commit drop');
    await worker.query('update stock_levels set on_hand = 4 where sku_id = $1', [sku.id]);
    await worker.query('commit');
    expect(await stockFaults(stack)).toEqual([]);
  });

  test('cannot oversell, whatever it writes', async () => {
    const sku = await stocked(stack, 5);
    for (const set of ['reserved = 6', 'reserved = -1', 'on_hand = -1', 'backorder_limit = -1', 'shortfall = -1']) {
      await expect(worker.query(`update stock_levels set ${set} where sku_id = $1`, [sku.id])).rejects.toMatchObject({
        code: '23514',
      });
    }
  });
});

test.each(['stock_levels cascade', 'stock_movements', 'skus cascade', 'stock_locations cascade'])(
  'nobody truncates %s, not even whoever owns it',
  async (table) => {
    await expect(stack.owner.query(`truncate ${table}`)).rejects.toMatchObject({ code: '55000' });
  },
);

test('orders that were confirmed before units stayed until their parcel leaves are promised theirs, and back again', async () => {
  const sku = await stocked(stack, 5);
  const placed = made(await order(stack, sku.id, 2));
  const folder = join(import.meta.dirname, '../../migrations');
  const file = (name: string) => readFileSync(join(folder, name), 'utf8');
  // Roles are the cluster's and stay; nothing that came after the stock of today depends on them.
  const later = readdirSync(folder).filter((name) => /^2026112211.*\.down\.sql$/.test(name));
  const client = await stack.owner.connect();
  try {
    await client.query('begin');
    for (const name of later.toSorted().toReversed()) await client.query(file(name));
    const before = await client.query('select on_hand, reserved from stock_levels where sku_id = $1', [sku.id]);
    expect(before.rows).toEqual([{ on_hand: 3, reserved: 0 }]);
    await client.query(file('20261122110000_extend_inventory.sql'));
    const after = await client.query('select on_hand, reserved from stock_levels where sku_id = $1', [sku.id]);
    expect(after.rows).toEqual([{ on_hand: 5, reserved: 2 }]);
    const { rows } = await client.query(
      'select quantity, committed_at is not null as committed from reservations where order_id = $1',
      [placed.id],
    );
    expect(rows).toEqual([{ quantity: 2, committed: true }]);
  } finally {
    await client.query('rollback');
    client.release();
  }
  expect(await levelRow(stack, sku.id, sku.locationId)).toEqual({ on_hand: 5, reserved: 2, shortfall: 0 });
});
