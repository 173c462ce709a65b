import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

test('a body over the limit is answered 413, never by a broken connection', async () => {
  const body = JSON.stringify({ note: 'x'.repeat(300_000) });
  const send = async () => {
    const headers = { 'content-type': 'application/json' };
    const response = await stack.fetch('/api/v1/carts', { method: 'POST', headers, body });
    await response.arrayBuffer();
    return response.status;
  };
  for (let round = 0; round < 10; round += 1) {
    const statuses = await Promise.all(Array.from({ length: 20 }, send));
    expect(new Set(statuses)).toEqual(new Set([413]));
  }
});
