import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { builtDocument } from '../support/contract.ts';
import { call } from '../support/shop.ts';
import { type Cast, startCast } from './cast.ts';
import { kindOf } from './credentials.ts';
import { Caller, readsCredential, type Target, targetsOf } from './operations.ts';

const document = builtDocument();
const targets = targetsOf(document);
/** Outside of the API nobody is counted, and Redis is only asked how it is. */
const limited = targets.filter(({ path }) => path.startsWith('/api/v1/'));

/** Where sessions may end: every isolate is told before the reply, in a second one. */
const PUBLISHING = new Set([
  'deleteAdminCustomersById',
  'deleteAdminRolesById',
  'deleteAdminUsersById',
  'deleteAuthSessions',
  'deleteAuthSessionsById',
  'deleteCustomersMe',
  'patchAdminCustomersById',
  'patchAdminRolesById',
  'patchAdminUsersById',
  'postAuthLogout',
  'postAuthPasswordReset',
  'postAuthRefresh',
  'postAuthTotpDisable',
  'postAuthTotpVerify',
  'postCustomersMePassword',
]);

/** What is delivered in bursts is counted by the isolate, and only where it is refused: a session is all to ask about. */
const UNCOUNTED = new Set(['postWebhooksPaymentsByProvider']);

let cast: Cast;
let caller: Caller;
beforeAll(async () => {
  cast = await startCast({ env: { CACHE_TTL: '60' } });
  const { rows } = await cast.stack.owner.query('select id from skus order by code limit 1');
  caller = new Caller(cast.stack, document, [rows[0].id]);
  // From now on Redis knows the script of the limits, also those of a route.
  for (const path of ['/auth/login', '/auth/register', '/auth/password/forgot', '/orders', '/markets']) {
    await call(cast.stack, 'POST', path, {});
  }
  await call(cast.stack, 'GET', '/markets');
});
beforeEach(() => cast.stack.redis.clear());
afterAll(() => cast.stack.close());

/** What the log says of a request. */
async function tripsOf(requestId: string): Promise<number> {
  return await vi.waitFor(
    () => {
      const line = cast.stack.logs().find((each) => each['request_id'] === requestId && each['route'] !== undefined);
      expect(line).toBeDefined();
      return Number(line?.['redis_round_trips']);
    },
    { timeout: 30_000, interval: 10 },
  );
}

const tokensOf = async ({ operation }: Target): Promise<(string | undefined)[]> => {
  const permission = operation['x-permission'] ?? '';
  const staff = await cast.staff([permission]);
  switch (kindOf(operation)) {
    case 'none':
    case 'optional':
      return [undefined, (await cast.customer()).token];
    case 'customer':
      return [(await cast.customer()).token];
    case 'person':
      return [(await cast.customer()).token, staff.token];
    case 'people':
      return [staff.token];
    case 'staff':
      return [staff.token, await cast.key(staff.accountId, [permission])];
    case 'metrics':
      return [];
  }
};

test('the exceptions are operations of the document', () => {
  const known = new Set(targets.map(({ operation }) => operation.operationId));
  expect([...PUBLISHING, ...UNCOUNTED].filter((id) => !known.has(id))).toEqual([]);
});

describe('one Redis round trip', () => {
  test.each(limited)('is what $name takes', async (target) => {
    const tokens = readsCredential(target) ? await tokensOf(target) : [undefined];
    for (const token of tokens) {
      const requestId = randomUUID();
      const { status } = await caller.send(target, token, { requestId });
      const { operationId } = target.operation;
      const isCounted = token !== undefined || !UNCOUNTED.has(operationId);
      const counts = PUBLISHING.has(operationId) ? [1, 2] : [isCounted ? 1 : 0];
      expect(counts, `answered ${status}`).toContain(await tripsOf(requestId));
    }
  });

  test('and a second one where a session ends', async () => {
    const { refreshToken } = await cast.customer();
    const headers = { 'x-request-id': randomUUID() };
    await call(cast.stack, 'POST', '/auth/logout', { refresh_token: refreshToken }, { headers });
    expect(await tripsOf(headers['x-request-id'])).toBe(2);
  });

  test('whether the reply lies in the cache or not, and storing it is no wait for the caller', async () => {
    const trips = [];
    for (const at of [1, 2]) {
      const headers = { 'x-request-id': randomUUID() };
      const { status } = await call(cast.stack, 'GET', '/products?limit=7', undefined, { headers });
      expect(status).toBe(200);
      trips.push(await tripsOf(headers['x-request-id']));
      const stored = () => cast.stack.redis.exchanges.filter(({ requestBody }) => /"set"/i.test(requestBody));
      if (at === 1) await vi.waitFor(() => expect(stored()).toHaveLength(1), { timeout: 30_000, interval: 10 });
    }
    expect(trips).toEqual([1, 1]);
  });
});
