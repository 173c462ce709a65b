import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';

const PUBLIC_MAX = 5;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    env: { RATE_LIMIT_PUBLIC: String(PUBLIC_MAX), RATE_LIMIT_WINDOW: '3600', TRUSTED_IP_HEADER: 'x-real-ip' },
  });
});
afterAll(() => stack.close());

let addresses = 0;
/** One that no other test has used up. */
const newAddress = () => `203.0.113.${(addresses += 1)}`;

/** An event that nothing follows from, with so much in it. */
function deliver(address: string, { length = 0, secret = stack.bindings['PAYMENT_TEST_WEBHOOK_SECRET'] ?? '' } = {}) {
  const object = { id: 'cus_1', object: 'customer', description: 'x'.repeat(length) };
  const body = JSON.stringify({
    id: `evt_${randomUUID()}`,
    object: 'event',
    type: 'customer.created',
    data: { object },
  });
  const time = Math.floor(Date.now() / 1000);
  const mac = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
  return stack.fetch('/api/v1/webhooks/payments/test', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'test-signature': `t=${time},v1=${mac}`, 'x-real-ip': address },
    body,
  });
}

const markets = async (address: string) =>
  (await stack.fetch('/api/v1/markets', { headers: { 'x-real-ip': address } })).status;

test('a burst of a provider is never too much, and leaves the limit of its address alone', async () => {
  const address = newAddress();
  const replies = await Promise.all(Array.from({ length: 3 * PUBLIC_MAX }, () => deliver(address)));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([204]));
  expect(await markets(address)).toBe(200);
});

test('whoever cannot sign is heard as often as anybody may ask, and then no more', async () => {
  const address = newAddress();
  const statuses: number[] = [];
  for (let i = 0; i < PUBLIC_MAX; i += 1)
    statuses.push((await deliver(address, { secret: 'of somebody else' })).status);
  expect(new Set(statuses)).toEqual(new Set([401]));
  const refused = await deliver(address, { secret: 'of somebody else' });
  expect([refused.status, await refused.json()]).toEqual([429, expect.objectContaining({ code: 'rate_limited' })]);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await deliver(newAddress())).status).toBe(204);
});

test('an event may hold a mebibyte: a dispute comes with its evidence', async () => {
  expect((await deliver(newAddress(), { length: 900_000 })).status).toBe(204);
  expect((await deliver(newAddress(), { length: 1024 * 1024 })).status).toBe(413);
});
