import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';
import type { Reply } from '../support/shop.ts';
import { createClerk, createLocation, made, stocked, type Clerk, type Stocked } from './fixture.ts';

let stack: Stack;
let clerk: Clerk;
let sku: Stocked;
let paths: Record<'location' | 'kit' | 'hold', string>;
let locationId: string;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createClerk(stack);
  sku = await stocked(stack, 50);
  locationId = (await createLocation(clerk)).id;
  const { id } = made(await clerk.post('/reservations', { sku_id: sku.id, quantity: 1 }));
  paths = {
    location: `/stock-locations/${locationId}`,
    kit: `/kits/${(await stocked(stack, 0)).id}`,
    hold: `/reservations/${id}`,
  };
});
afterAll(() => stack.close());

const own = () => ({ sku_id: sku.id });
const at = () => ({ ...own(), location_id: sku.locationId });
const routes: Record<string, [trips: number, run: () => Promise<Reply>]> = {
  'GET /admin/inventory': [1, () => clerk.get('/inventory')],
  'GET /admin/inventory/{sku_id}/{location_id}': [1, () => clerk.get(sku.path)],
  'PATCH /admin/inventory/{sku_id}/{location_id}': [1, () => clerk.patch(sku.path, { safety_stock: 1 })],
  'POST /admin/inventory/adjustments': [
    1,
    () => clerk.post('/inventory/adjustments', { ...at(), delta: 1, reason: 'received' }),
  ],
  'POST /admin/inventory/adjustments, at the first location': [
    2,
    () => clerk.post('/inventory/adjustments', { ...own(), delta: 1, reason: 'received' }),
  ],
  'POST /admin/inventory/transfers': [
    2,
    () =>
      clerk.post('/inventory/transfers', {
        ...own(),
        from_location_id: sku.locationId,
        to_location_id: locationId,
        quantity: 1,
      }),
  ],
  'GET /admin/inventory/movements': [1, () => clerk.get('/inventory/movements')],
  'GET /admin/stock-locations': [1, () => clerk.get('/stock-locations')],
  'POST /admin/stock-locations': [
    1,
    () => clerk.post('/stock-locations', { code: `r-${randomUUID().slice(0, 8)}`, name: 'Another' }),
  ],
  'GET /admin/stock-locations/{id}': [1, () => clerk.get(paths.location)],
  'PATCH /admin/stock-locations/{id}': [1, () => clerk.patch(paths.location, { name: 'Renamed' })],
  'GET /admin/reservations': [1, () => clerk.get('/reservations')],
  'POST /admin/reservations': [1, () => clerk.post('/reservations', { ...at(), quantity: 1 })],
  'GET /admin/reservations/{id}': [1, () => clerk.get(paths.hold)],
  'DELETE /admin/reservations/{id}': [1, () => clerk.remove(paths.hold)],
  'GET /admin/kits/{sku_id}': [1, () => clerk.get(paths.kit)],
  'PUT /admin/kits/{sku_id}': [1, () => clerk.put(paths.kit, { components: [{ ...own(), quantity: 2 }] })],
};

test.each(Object.entries(routes))('%s: database round trips, exact', async (_name, [trips, run]) => {
  const reply = await run();
  expect(reply.status, reply.text).toBeLessThan(300);
  const id = reply.headers.get('x-request-id');
  const logged = () => stack.logs().find((line) => line['request_id'] === id && 'db_round_trips' in line);
  await expect.poll(logged).toMatchObject({ db_round_trips: trips });
});
