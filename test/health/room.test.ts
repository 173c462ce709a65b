import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { gate as door } from '../support/order-path.ts';
import { startStack, type Stack } from '../support/stack.ts';

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const ROOM = 3;
const TIMEOUT_MS = 2_500;

let stack: Stack;
beforeAll(async () => {
  const DATABASE_TIMEOUT_MS = String(TIMEOUT_MS);
  stack = await startStack({ env: { DATABASE_MAX_OPEN_CONNS: String(ROOM), DATABASE_TIMEOUT_MS, CACHE_TTL: '0' } });
});
afterEach(() => stack.neon.clear());
afterAll(() => stack.close());

const markets = (init: RequestInit = {}) => stack.fetch('/api/v1/markets', init);
/** As many as there is room for have arrived, and others had time to. */
const settled = async () => {
  await expect.poll(() => stack.neon.exchanges.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(ROOM);
  await wait(200);
};

test('has three at the database, however many ask, and each is answered', async () => {
  const { opened, open } = door();
  stack.neon.inject(() => true, { hold_request: opened }, 100);
  const replies = Array.from({ length: 12 }, () => markets());
  await settled();
  expect(stack.neon.exchanges).toHaveLength(ROOM);
  open();
  expect((await Promise.all(replies)).map(({ status }) => status)).toEqual(replies.map(() => 200));
  expect(stack.neon.exchanges).toHaveLength(replies.length);
});

test('says that it is busy when the wait is as long as an exchange may be, and health still answers', async () => {
  const { opened, open } = door();
  stack.neon.inject(({ requestBody }) => !requestBody.includes('as answer'), { hold_request: opened }, 100);
  const replies = Array.from({ length: ROOM + 2 }, () => markets());
  await settled();
  expect((await stack.fetch('/health/ready')).status).toBe(200);
  const statuses = (await Promise.all(replies)).map(({ status }) => status);
  expect(statuses).toEqual(replies.map(() => 503));
  const causes = stack.logs().flatMap(({ cause }) => (typeof cause === 'string' ? [cause] : []));
  expect(causes.filter((cause) => cause.includes('batches are at the database already'))).not.toEqual([]);
  open();
});

test('gets its places back from clients that hung up', async () => {
  const { opened, open } = door();
  stack.neon.inject(() => true, { hold_request: opened }, ROOM);
  const hangUp = new AbortController();
  const gone = Array.from({ length: ROOM }, () => markets({ signal: hangUp.signal }).catch(() => null));
  await settled();
  hangUp.abort();
  expect(await Promise.all(gone)).toEqual(gone.map(() => null));
  const replies = await Promise.all(Array.from({ length: 6 }, () => markets()));
  expect(replies.map(({ status }) => status)).not.toContain(500);
  await wait(TIMEOUT_MS + 1_000);
  expect((await Promise.all(Array.from({ length: 6 }, () => markets()))).map(({ status }) => status)).toEqual(
    Array.from({ length: 6 }, () => 200),
  );
  open();
});
