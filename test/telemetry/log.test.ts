import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  ADDRESS,
  call,
  type CallOptions,
  createSku,
  type Json,
  MANUAL,
  pay,
  placeOrder,
  readyCart,
  type Reply,
} from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let person: Person;
let skuId: string;
beforeAll(async () => {
  stack = await startStack();
  person = await register(stack);
  skuId = (await createSku(stack, { stock: 1000 })).id;
});
afterAll(() => stack.close());

const WAIT = { timeout: 30_000, interval: 20 };
const linesWith = (requestId: string | null): Json[] =>
  stack.logs().filter(({ request_id, method }) => request_id === requestId && method !== undefined);

/** The line of a request, which is written after its reply. */
async function lineOf(reply: Pick<Reply, 'headers'>): Promise<Json> {
  const id = reply.headers.get('x-request-id');
  return await vi.waitFor(() => {
    const lines = linesWith(id);
    expect(lines).toHaveLength(1);
    return lines[0];
  }, WAIT);
}

const send = (method: string, path: string, body?: Json, options: CallOptions = {}) =>
  call(stack, method, path, body, options);

const FIELDS = [
  'level',
  'timestamp',
  'service',
  'trace_id',
  'span_id',
  'request_id',
  'method',
  'path',
  'route',
  'status',
  'duration_ms',
  'user_id',
  'order_id',
  'db_round_trips',
  'redis_round_trips',
  'provider_calls',
  'limiter',
  'cache',
  'replayed',
  'error_code',
  'cause',
  'msg',
];

describe('each request writes one line', () => {
  test('with the fields of the contract, whatever it was answered', async () => {
    const replies = [
      await send('GET', '/products?limit=1'),
      await send('GET', '/products/no-such-product'),
      await send('POST', '/carts', { unknown: true }),
      await send('GET', '/no/such/route'),
      await send('GET', '/orders', undefined, { token: 'forged' }),
    ];
    for (const reply of replies) {
      const line = await lineOf(reply);
      expect(Object.keys(line).toSorted()).toEqual(FIELDS.toSorted());
      expect(line).toMatchObject({
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
        span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
        service: 'ecommerce-api',
        status: reply.status,
        duration_ms: expect.any(Number),
        error_code: reply.status < 400 ? null : reply.body.code,
      });
    }
  });

  test('counts as many round trips as the peers saw', async () => {
    for (const path of ['/products?limit=1', '/categories', '/markets']) {
      stack.neon.clear();
      stack.redis.clear();
      const line = await lineOf(await send('GET', path));
      expect([line.db_round_trips, line.redis_round_trips]).toEqual([
        stack.neon.exchanges.length,
        stack.redis.exchanges.length,
      ]);
    }
  });

  test('that names route, actor, order and what the request cost', async () => {
    const cart = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }], { token: person.token });
    const placed = await placeOrder(stack, cart.id, pay('tok_ok'), { token: person.token, key: randomUUID() });
    expect(await lineOf(placed)).toMatchObject({
      level: 'info',
      method: 'POST',
      path: '/api/v1/orders',
      route: '/api/v1/orders',
      status: 201,
      user_id: person.id,
      order_id: placed.body.id,
      redis_round_trips: 1,
      provider_calls: 1,
      limiter: 'allowed',
      replayed: false,
    });
    const read = await send('GET', `/orders/${placed.body.id}`, undefined, { token: person.token });
    expect(await lineOf(read)).toMatchObject({
      path: `/api/v1/orders/${placed.body.id}`,
      route: '/api/v1/orders/:id',
      user_id: person.id,
      order_id: placed.body.id,
      db_round_trips: 1,
      provider_calls: 0,
    });
  });

  test('says whether a reply was replayed', async () => {
    const options = { key: randomUUID() };
    const first = await send('POST', '/carts', { note: 'once' }, options);
    await vi.waitFor(async () => {
      const { rowCount } = await stack.owner.query('select from idempotency_keys where key = $1 and body is not null', [
        options.key,
      ]);
      expect(rowCount).toBe(1);
    }, WAIT);
    const again = await send('POST', '/carts', { note: 'once' }, options);
    expect([(await lineOf(first)).replayed, (await lineOf(again)).replayed]).toEqual([false, true]);
  });

  test('is as loud as it is bad, and tells the cause that the caller is not told', async () => {
    stack.neon.inject(() => true, 'drop_request', 9);
    const down = await send('GET', '/markets');
    stack.neon.clear();
    expect(await lineOf(down)).toMatchObject({ level: 'error', status: 503, error_code: 'dependency_unavailable' });
    expect((await lineOf(down)).cause).toMatch(/database unreachable/);
    expect(down.text).not.toMatch(/database|postgres|cause/i);
    expect((await lineOf(await send('GET', '/products/nope'))).level).toBe('warn');
    expect((await lineOf(await send('GET', '/markets'))).level).toBe('info');
  });

  test('tells of an error of the database its code, and neither the caller nor the log a value of a row', async () => {
    await stack.owner.query(`
      create function tell() returns trigger language plpgsql as $$
      begin raise exception 'no % today', new.email using errcode = 'P0001', detail = new.email, hint = new.email; end $$;
      create trigger tell before insert on accounts for each row execute function tell()`);
    const email = 'somebody@people.example.test';
    const failed = await send('POST', '/auth/register', { email, password: 'long enough' });
    await stack.owner.query('drop function tell() cascade');
    expect([failed.status, failed.body.code]).toEqual([500, 'internal']);
    expect(failed.text).not.toMatch(/P0001|today|accounts|somebody/);
    expect((await lineOf(failed)).cause).toContain('P0001');
    expect(JSON.stringify(stack.logs())).not.toContain('somebody');
  });
});

describe('X-Request-Id', () => {
  test.each(['abc', '0199a1b2-0000-7000-8000-000000000001', 'A1+/=._-', 'x'.repeat(128)])(
    '%s is taken over: in the reply, in a problem and in the log',
    async (id) => {
      const reply = await send('GET', '/products/no-such-product', undefined, { headers: { 'x-request-id': id } });
      expect([reply.headers.get('x-request-id'), reply.body.request_id]).toEqual([id, id]);
      expect((await lineOf(reply)).request_id).toBe(id);
    },
  );

  test.each(['', 'two words', 'x'.repeat(129), '<script>', 'a"b', 'naïve', '{}'])('%j is replaced', async (id) => {
    const reply = await send('GET', '/markets', undefined, { headers: { 'x-request-id': id } });
    const own = reply.headers.get('x-request-id');
    expect(own).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    await lineOf(reply);
    expect(linesWith(own)).toHaveLength(1);
  });
});

describe('traceparent', () => {
  test('is joined, and handed on with our own span', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const reply = await send('GET', '/markets', undefined, { headers });
    const line = await lineOf(reply);
    expect(line.trace_id).toBe(traceId);
    expect(reply.headers.get('traceparent')).toMatch(new RegExp(`^00-${traceId}-${line.span_id}-0[01]$`));
  });
});

describe('what is in no line', () => {
  const CARTS: string[] = [];
  const SECRETS: string[] = ['a wrong password indeed', 'eyJ', 'scrypt$'];

  /** How an id gets into a path by mistake. */
  const SLIPS = [
    '/carts/ID%20',
    '/carts/%20ID',
    '/carts/ID).',
    '/cart/ID',
    '/ID',
    '/carts/ID/carts/ID',
    '/carts/%ZZID',
    '/carts%2FID',
    '/x%2fcarts%2fID%2Fitems',
  ];

  /** Everything a buyer does, also wrongly. */
  async function buy(token?: string): Promise<void> {
    const options = token === undefined ? {} : { token };
    const cart = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }], options);
    CARTS.push(cart.id);
    const path = `/carts/${cart.id}`;
    await send('GET', path, undefined, options);
    await send('GET', path);
    await send('PATCH', path, { note: 'Analytical note', email: 'not an e-mail@' }, options);
    await send('POST', `${path}/discount-codes`, { code: 'NOPE' }, options);
    await send('GET', `${path}/no-such-thing`);
    await send('PUT', path);
    for (const slip of SLIPS) await send('GET', slip.replaceAll('ID', cart.id));
    await send('PATCH', `${path}/items/${cart.items[0].id}`, { quantity: -1 }, options);
    await placeOrder(stack, cart.id, pay('tok_declined'), options);
    const placed = await placeOrder(stack, cart.id, MANUAL, options);
    SECRETS.push(placed.body.guest_token ?? person.token);
    const headers = { 'x-order-token': placed.body.guest_token ?? 'none' };
    await send('GET', `/orders/${placed.body.id}`, undefined, { ...options, headers });
    await placeOrder(stack, cart.id, MANUAL, options);
  }

  beforeAll(async () => {
    const { email, password, refreshToken, token } = person;
    SECRETS.push(email, password, refreshToken, token);
    await send('POST', '/auth/login', { email, password });
    await send('POST', '/auth/login', { email, password: 'a wrong password indeed' });
    await send('POST', '/auth/register', { email, password });
    await send('POST', '/auth/refresh', { refresh_token: refreshToken });
    await send('POST', '/auth/refresh', { refresh_token: refreshToken });
    await buy();
    await buy(token);
    await stack.worker.scheduled({ cron: '* * * * *' });
    const last = await send('GET', '/markets');
    await lineOf(last);
  });

  test('a password, a token, an e-mail address or a postal one', () => {
    const log = JSON.stringify(stack.logs());
    const { country: _country, postal_code, ...address } = ADDRESS;
    for (const secret of [...SECRETS, '@', 'Analytical', ...Object.values(address)]) expect(log).not.toContain(secret);
    // An id may have five such digits in it.
    expect(log).not.toMatch(new RegExp(`(?<![0-9a-f])${postal_code}(?![0-9a-f])`));
  });

  test('the id of a cart, which is all it takes to use it; yet all lines of one cart are found by one word', () => {
    const lines = stack.logs();
    for (const id of CARTS) expect(JSON.stringify(lines)).not.toContain(id);
    for (const id of CARTS) {
      const name = createHash('sha256').update(id).digest('hex').slice(0, 8);
      expect(lines.filter(({ path }) => String(path).includes(`/carts/${name}`)).length).toBeGreaterThan(7);
    }
  });

  test('an e-mail address or a token, also where nobody expects one', async () => {
    const jwt = `eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(20)}.${'b'.repeat(20)}`;
    for (const path of [`/customers/${person.email}`, `/customers/${encodeURIComponent(person.email)}`, `/x/${jwt}`]) {
      const line = await lineOf(await send('GET', path));
      expect(line.path).toBe(`/api/v1/${path.startsWith('/x') ? 'x' : 'customers'}/[redacted]`);
    }
    const odd = await send('GET', '/markets', undefined, { headers: { 'x-request-id': CARTS[0] ?? '' } });
    const name = createHash('sha256')
      .update(CARTS[0] ?? '')
      .digest('hex')
      .slice(0, 8);
    expect(odd.headers.get('x-request-id')).toBe(CARTS[0]);
    await vi.waitFor(() => expect(linesWith(name)).toHaveLength(1), WAIT);
  });

  test('while a handle of the same length is shown as it is', async () => {
    const handle = 'a-handle-of-22-letters';
    const line = await lineOf(await send('GET', `/products/${handle}`));
    expect(line.path).toBe(`/api/v1/products/${handle}`);
  });
});
