import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createSku } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

test('a method that a path does not take is 405 and Allow names the ones it takes', async () => {
  const put = await call(stack, 'PUT', '/products', {});
  expect(put).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
  expect(put.headers.get('allow')).toBe('GET');
  expect((await call(stack, 'DELETE', '/carts/AAAAAAAAAAAAAAAAAAAAAA')).headers.get('allow')).toBe('GET, PATCH');
  expect(await call(stack, 'GET', '/nothing')).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('private replies may be kept only to revalidate, and vary by who asks', async () => {
  const made = await call(stack, 'POST', '/carts', {});
  expect(made.headers.get('cache-control')).toBe('no-store');
  const { headers } = await call(stack, 'GET', `/carts/${made.body.id}`);
  expect(headers.get('cache-control')).toBe('private, no-cache');
  expect(headers.get('vary')).toContain('Authorization, X-Order-Token');
});

test('an absurd stock level does not take the catalog down', async () => {
  const sku = await createSku(stack, { stock: 2_000_000_000 });
  await stack.owner.query(
    `insert into stock_levels (sku_id, location_id, on_hand)
     select $1, id, 2000000000 from stock_locations where id <> $2 limit 1`,
    [sku.id, sku.locationId],
  );
  const product = await call(stack, 'GET', `/products/test-${sku.id}`);
  expect(product.body.skus[0].available_quantity).toBe(2_147_483_647);
});

test('the same discount code twice in one request counts once', async () => {
  const cart = await call(stack, 'POST', '/carts', { discount_codes: ['WELCOME10', 'welcome10'] });
  expect(cart).toMatchObject({ status: 201, body: { discount_codes: ['WELCOME10'] } });
});
