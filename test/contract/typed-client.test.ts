import { hc } from 'hono/client';
import { afterAll, beforeAll, expect, expectTypeOf, test } from 'vitest';
import type { AppType } from '../../src/app.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

test('a TypeScript client gets its types from the routes themselves', async () => {
  const client = hc<AppType>(stack.url);
  const reply = await client.api.v1.products.$get({ query: { limit: '1' } });
  const page = await reply.json();
  expectTypeOf(page.data[0]?.skus[0]?.price).toEqualTypeOf<number | undefined>();
  expect(page.data).toHaveLength(1);
});
