import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';
import {
  auditOf,
  createClerk,
  levelRow,
  made,
  order,
  refusal,
  stocked,
  stockFaults,
  tick,
  type Clerk,
} from './fixture.ts';

let stack: Stack;
let clerk: Clerk;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createClerk(stack);
});
afterAll(() => stack.close());

const DEFAULTS = {
  reserved: 0,
  backorder_limit: 0,
  safety_stock: 0,
  shortfall: 0,
  low_stock_threshold: null,
  expected_at: null,
  version: 1,
};

describe('reading', () => {
  test('a level, with what can be promised of it', async () => {
    const sku = await stocked(stack, 7);
    const { status, body, headers } = await clerk.get(sku.path);
    expect([status, body]).toEqual([
      200,
      {
        sku_id: sku.id,
        sku_code: `test-${sku.id}`,
        location_id: sku.locationId,
        on_hand: 7,
        available: 7,
        ...DEFAULTS,
      },
    ]);
    expect(headers.get('etag')).toMatch(/^"1-/);
    expect(refusal(await clerk.get(`/inventory/${sku.id}/${randomUUID()}`))).toEqual([404, 'not_found', 'sku_id']);
  });

  test('levels by SKU, by location and by those that are low, a page at a time', async () => {
    const [plenty, low] = [await stocked(stack, 9), await stocked(stack, 2)];
    made(await clerk.patch(plenty.path, { low_stock_threshold: 2 }));
    made(await clerk.patch(low.path, { low_stock_threshold: 2 }));
    const ids = async (query: string) =>
      made(await clerk.get(`/inventory?${query}`)).data.map((level: { sku_id: string }) => level.sku_id);
    expect(await ids(`sku_id=${plenty.id}`)).toEqual([plenty.id]);
    expect(await ids(`sku_id=${plenty.id}&low_stock=true`)).toEqual([]);
    expect(await ids(`sku_id=${low.id}&location_id=${low.locationId}&low_stock=true`)).toEqual([low.id]);
    expect(await ids(`location_id=${randomUUID()}`)).toEqual([]);

    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const page = made(await clerk.get(`/inventory?limit=20&location_id=${low.locationId}${cursor}`));
      seen.push(...page.data.map((level: { sku_id: string }) => level.sku_id));
      if (!page.has_more) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    const { rows } = await stack.owner.query('select sku_id from stock_levels where location_id = $1 order by 1', [
      low.locationId,
    ]);
    expect(seen).toEqual(rows.map((row) => row.sku_id));
  });
});

describe('changing', () => {
  test('needs If-Match, and refuses what is based on an older one', async () => {
    const sku = await stocked(stack, 3);
    const etag = (await clerk.get(sku.path)).headers.get('etag');
    const patch = { safety_stock: 1 };
    expect(refusal(await clerk.patch(sku.path, patch, { ifMatch: null }))).toEqual([
      428,
      'precondition_required',
      'If-Match',
    ]);
    expect(made(await clerk.patch(sku.path, patch, { ifMatch: etag }))).toMatchObject({ version: 2, available: 2 });
    expect(refusal(await clerk.patch(sku.path, patch, { ifMatch: etag }))).toEqual([
      412,
      'precondition_failed',
      'If-Match',
    ]);
    expect(refusal(await clerk.patch(`/inventory/${sku.id}/${randomUUID()}`, patch))).toEqual([
      404,
      'not_found',
      'sku_id',
    ]);
  });

  test('stock that moves does not make a change of the limits stale', async () => {
    const sku = await stocked(stack, 3);
    const etag = (await clerk.get(sku.path)).headers.get('etag');
    made(await order(stack, sku.id, 1));
    expect(made(await clerk.patch(sku.path, { safety_stock: 1 }, { ifMatch: etag }))).toMatchObject({ available: 1 });
  });

  test('is refused without the permission, and is in the audit log with it', async () => {
    const sku = await stocked(stack, 3);
    const [reader, stranger] = [
      await createClerk(stack, ['inventory:read']),
      await createClerk(stack, ['orders:read']),
    ];
    expect((await reader.get(sku.path)).status).toBe(200);
    expect((await reader.patch(sku.path, { safety_stock: 1 })).body.code).toBe('forbidden');
    expect((await stranger.get(sku.path)).body.code).toBe('forbidden');
    made(await clerk.patch(sku.path, { safety_stock: 1, low_stock_threshold: null }));
    expect(await auditOf(stack, `${sku.id}/${sku.locationId}`)).toEqual([
      {
        action: 'stock_levels.update',
        actor_id: clerk.id,
        details: { fields: ['safety_stock', 'low_stock_threshold'] },
      },
    ]);
  });

  test.each([
    [{ backorder_limit: -1 }, 'backorder_limit'],
    [{ backorder_limit: 100_000_001 }, 'backorder_limit'],
    [{ safety_stock: 1.5 }, 'safety_stock'],
    [{ low_stock_threshold: '5' }, 'low_stock_threshold'],
    [{ expected_at: 'soon' }, 'expected_at'],
    [{ expected_at: '0000-01-01T00:00:00Z' }, 'expected_at'],
    [{ expected_at: `2030-01-01T00:00:00.${'0'.repeat(200)}Z` }, 'expected_at'],
    [{ on_hand: 5 }, 'on_hand'],
  ])('%j is refused', async (patch, param) => {
    const sku = await stocked(stack, 3);
    expect(refusal(await clerk.patch(sku.path, patch))).toEqual([422, 'validation_failed', param]);
  });

  test('a key that is used again answers the same and changes once', async () => {
    const sku = await stocked(stack, 3);
    const first = await clerk.patch(sku.path, { safety_stock: 1 }, { key: 'level-1' });
    const again = await clerk.patch(sku.path, { safety_stock: 1 }, { key: 'level-1' });
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect((await clerk.get(sku.path)).body.version).toBe(2);
    expect((await clerk.patch(sku.path, { safety_stock: 2 }, { key: 'level-1' })).body.code).toBe(
      'idempotency_key_reused',
    );
  });
});

describe('promising more than there is', () => {
  test('a backorder goes up to its limit and no unit further', async () => {
    const sku = await stocked(stack, 2);
    made(await clerk.patch(sku.path, { backorder_limit: 3 }));
    made(await order(stack, sku.id, 4));
    expect(await levelRow(stack, sku.id, sku.locationId)).toEqual({ on_hand: 2, reserved: 4, shortfall: 0 });
    const refused = await order(stack, sku.id, 2);
    expect(refused.body).toMatchObject({
      code: 'insufficient_stock',
      errors: [{ param: 'items[0]', sku_id: sku.id, requested: 2, available: 1 }],
    });
    made(await order(stack, sku.id, 1));
    expect((await clerk.get(sku.path)).body).toMatchObject({ on_hand: 2, reserved: 5, available: 0 });
  });

  test('a preorder: nothing there, some promised, and when it comes', async () => {
    const sku = await stocked(stack, 0);
    expect((await order(stack, sku.id, 1)).body.code).toBe('insufficient_stock');
    const expected_at = '2030-05-01T08:00:00Z';
    made(await clerk.patch(sku.path, { backorder_limit: 2, expected_at }));
    made(await order(stack, sku.id, 2));
    expect((await order(stack, sku.id, 1)).body.code).toBe('insufficient_stock');
    expect((await clerk.get(sku.path)).body).toMatchObject({ expected_at: '2030-05-01T08:00:00.000Z', reserved: 2 });
  });

  test('a limit below what is promised on it is refused, and lowered to that it holds', async () => {
    const sku = await stocked(stack, 1);
    made(await clerk.patch(sku.path, { backorder_limit: 5 }));
    made(await order(stack, sku.id, 4));
    expect(refusal(await clerk.patch(sku.path, { backorder_limit: 2 }))).toEqual([409, 'conflict', 'backorder_limit']);
    expect(made(await clerk.patch(sku.path, { backorder_limit: 3 }))).toMatchObject({ available: 0, shortfall: 0 });
  });

  test('a higher limit covers a shortfall', async () => {
    const sku = await stocked(stack, 4);
    made(await order(stack, sku.id, 4));
    made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, set: 1, reason: 'count' }));
    expect((await clerk.get(sku.path)).body).toMatchObject({ shortfall: 3, available: 0 });
    expect(made(await clerk.patch(sku.path, { backorder_limit: 2 }))).toMatchObject({ shortfall: 1, available: 0 });
  });
});

describe('keeping back', () => {
  test('safety stock is there and promised to nobody', async () => {
    const sku = await stocked(stack, 5);
    made(await clerk.patch(sku.path, { safety_stock: 3 }));
    expect((await order(stack, sku.id, 3)).body.errors).toEqual([
      expect.objectContaining({ requested: 3, available: 2 }),
    ]);
    made(await order(stack, sku.id, 2));
    expect((await clerk.get(sku.path)).body).toMatchObject({ on_hand: 5, reserved: 2, available: 0 });
  });
});

describe('a low level is told', () => {
  const told = async (skuId: string) =>
    (
      await stack.owner.query(
        `select payload from outbox_events where type = 'stock.low' and aggregate_id = $1 order by created_at`,
        [skuId],
      )
    ).rows.map((row) => row.payload);

  test('once per crossing, not once per order below it, and not by an order that came to nothing', async () => {
    const sku = await stocked(stack, 5);
    made(await clerk.patch(sku.path, { low_stock_threshold: 3 }));
    made(await order(stack, sku.id, 1));
    expect(await told(sku.id)).toEqual([]);
    expect((await order(stack, sku.id, 5)).status).toBe(409);
    expect(await told(sku.id)).toEqual([]);
    made(await order(stack, sku.id, 1));
    const event = { sku_id: sku.id, location_id: sku.locationId, on_hand: 5, reserved: 2, threshold: 3 };
    expect(await told(sku.id)).toEqual([event]);
    made(await order(stack, sku.id, 1));
    expect(await told(sku.id)).toHaveLength(1);
    made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, delta: 10, reason: 'received' }));
    expect(await told(sku.id)).toHaveLength(1);
    made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, set: 4, reason: 'count' }));
    expect(await told(sku.id)).toEqual([event, { ...event, on_hand: 4, reserved: 3 }]);
  });

  test('not again by whoever takes what a hold that is over gives back', async () => {
    const sku = await stocked(stack, 5);
    made(await clerk.patch(sku.path, { low_stock_threshold: 2 }));
    const hold = (quantity: number) => clerk.post('/reservations', { sku_id: sku.id, quantity });
    const over = () =>
      stack.owner.query(`update reservations set expires_at = now() - interval '1 second' where sku_id = $1`, [sku.id]);
    made(await hold(4));
    expect(await told(sku.id)).toHaveLength(1);
    await over();
    made(await order(stack, sku.id, 3));
    expect(await told(sku.id)).toHaveLength(1);
    expect((await clerk.get(sku.path)).body).toMatchObject({ on_hand: 5, reserved: 3 });
    made(await hold(1));
    await over();
    await tick(stack);
    made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, delta: 1, reason: 'received' }));
    expect(await told(sku.id)).toHaveLength(1);
    made(await hold(1));
    expect(await told(sku.id)).toHaveLength(2);
  });

  test('when its threshold is set or raised above what there is, and not again when it is raised further', async () => {
    const sku = await stocked(stack, 5);
    const event = { sku_id: sku.id, location_id: sku.locationId, on_hand: 5, reserved: 0 };
    made(await clerk.patch(sku.path, { low_stock_threshold: 5 }));
    expect(await told(sku.id)).toEqual([{ ...event, threshold: 5 }]);
    made(await clerk.patch(sku.path, { low_stock_threshold: 8 }));
    expect(await told(sku.id)).toHaveLength(1);
    made(await clerk.patch(sku.path, { low_stock_threshold: 2 }));
    made(await clerk.patch(sku.path, { low_stock_threshold: 6 }));
    expect(await told(sku.id)).toEqual([
      { ...event, threshold: 5 },
      { ...event, threshold: 6 },
    ]);
  });
});

test('after all of this every level is what its movements sum to, and promises what is reserved', async () => {
  expect(await stockFaults(stack)).toEqual([]);
});
