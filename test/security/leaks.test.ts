import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { awaitMail, CHANGED, RESET, tokenIn, VERIFY } from '../support/mails.ts';
import { call, type CallOptions, createSku, type Json, MANUAL, placeOrder, readyCart } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../traces/receiver.ts';

const WAIT = { timeout: 30_000, interval: 50 };
const unique = (what: string) => `${what}${randomBytes(6).toString('hex')}`;

/** Of one person: none of this is anywhere else, so one hit is a leak. */
const PERSON = {
  email: `${unique('mail')}@leaks.example.test`,
  password: `${unique('Pass')} with (odd) chars!`,
  wrongPassword: unique('wrong-password-'),
  newPassword: unique('new-password-'),
  lastPassword: unique('last-password-'),
  first_name: unique('First'),
  last_name: unique('Last'),
  phone: `+1555${String(Date.now()).slice(-7)}`,
  company: unique('Company'),
  line1: `1 ${unique('Street')}`,
  line2: unique('Flat'),
  city: unique('City'),
  region: unique('Region'),
  postal_code: randomBytes(5).toString('hex'),
  note: unique('a note '),
};
const { first_name, last_name, phone, company, line1, line2, city, region, postal_code } = PERSON;
const ADDRESS = { first_name, last_name, phone, company, line1, line2, city, region, postal_code, country: 'US' };

let receiver: OtlpReceiver;
let stack: Stack;
/** Tokens, keys and capabilities that were handed out on the way. */
const given: Record<string, string> = {};
let log: string;
let traces: string;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  stack = await startStack({
    env: { TRACING_ENABLED: 'true', OTLP_ENDPOINT: receiver.url, TRACING_SAMPLING_RATE: '1', LOG_LEVEL: 'debug' },
  });
  await liveThroughIt();
  await settle();
  log = stack
    .logs()
    .map((line) => JSON.stringify(line))
    .join('\n');
  traces = receiver.posts.map(({ text }) => text).join('\n');
});
afterAll(async () => {
  await stack.close();
  await receiver.close();
});

const send = async (method: string, path: string, body?: Json, options: CallOptions = {}): Promise<Json> => {
  const reply = await call(stack, method, path, body, options);
  return { ...reply.body, status: reply.status };
};

/** Everything a person and the staff do, and what goes wrong with it. */
async function liveThroughIt(): Promise<void> {
  const { email, password, newPassword, lastPassword } = PERSON;
  const registered = await send('POST', '/auth/register', { email, password, first_name, last_name });
  await send('POST', '/auth/register', { email, password });
  await send('POST', '/auth/login', { email, password: PERSON.wrongPassword });
  const login = await send('POST', '/auth/login', { email, password });
  const renewed = await send('POST', '/auth/refresh', { refresh_token: login.refresh_token });
  Object.assign(given, { access: registered.access_token, access2: renewed.access_token });
  Object.assign(given, { refresh: login.refresh_token, refresh2: renewed.refresh_token });
  await send('POST', '/auth/email/verify', { token: (given['verify'] = await mailed(VERIFY)) });
  await shop(registered.access_token);
  await asStaff(registered.customer.id);
  await faults(renewed.access_token);
  const change = { current_password: password, new_password: newPassword };
  const changed = await send('POST', '/customers/me/password', change, { token: renewed.access_token });
  // The first of the two mails about passwords; the second has the token.
  await awaitMail(stack, email, CHANGED);
  await send('POST', '/auth/password/forgot', { email });
  const token = (given['reset'] = await mailed(RESET, 2));
  await send('POST', '/auth/password/reset', { token, password: lastPassword });
  await send('POST', '/auth/password/reset', { token, password: lastPassword });
  const last = await send('POST', '/auth/login', { email, password: lastPassword });
  await send('POST', '/auth/logout', { refresh_token: last.refresh_token });
  Object.assign(given, { access3: changed.access_token, access4: last.access_token, refresh4: last.refresh_token });
  expect([registered, login, renewed, changed, last].map(({ status }) => status)).toEqual([201, 200, 200, 200, 200]);
}

/** The token of the `count`th mail that is about it; a changed password is one about passwords, too. */
async function mailed(about: string, count = 1): Promise<string> {
  return tokenIn(await awaitMail(stack, PERSON.email, about, count));
}

/** With an account, and as a guest. */
async function shop(token: string): Promise<void> {
  const sku = await createSku(stack, { stock: 100 });
  const items = [{ sku_id: sku.id, quantity: 1 }];
  const profile = await send('PATCH', '/customers/me', { first_name, last_name, phone }, { token });
  const kept = await send('POST', '/customers/me/addresses', ADDRESS, { token, key: randomUUID() });
  expect([profile.status, kept.status]).toEqual([200, 201]);
  const details = { email: PERSON.email, shipping_address: ADDRESS, billing_address: ADDRESS, note: PERSON.note };
  for (const options of [{ token }, {}]) {
    const cart = await readyCart(stack, items, options);
    const patched = await send('PATCH', `/carts/${cart.id}`, details, options);
    const order = await placeOrder(stack, cart.id, { provider: 'test', token: 'tok_declined' }, options);
    const placed = await placeOrder(stack, cart.id, MANUAL, { ...options, key: randomUUID() });
    expect([patched.status, order.status, placed.status]).toEqual([200, 402, 201]);
    given['token' in options ? 'cart' : "a guest's cart"] = cart.id;
    if (placed.body.guest_token) given['guest token'] = placed.body.guest_token;
    await call(stack, 'GET', `/orders/${placed.body.id}`, undefined, {
      headers: { 'x-order-token': given['guest token'] ?? '' },
    });
  }
  await send('GET', '/customers/me/export', undefined, { token });
}

async function asStaff(customerId: string): Promise<void> {
  const { token } = await createStaff(stack, 'owner');
  const made = await send('POST', '/admin/api-keys', { name: 'Key', permissions: ['customers:read'] }, { token });
  given['api key'] = made.key;
  expect(made.key).toMatch(/^sk_/);
  const email = `${unique('clerk')}@leaks.example.test`;
  given['invited e-mail'] = email;
  const { body } = await call(stack, 'GET', '/admin/roles', undefined, { token });
  await send('POST', '/admin/users', { email, name: 'Clerk', role_ids: [body.data[0].id] }, { token });
  given['invitation'] = tokenIn(await awaitMail(stack, email, ''));
  for (const holder of [token, made.key]) {
    const one = await send('GET', `/admin/customers/${customerId}`, undefined, { token: holder });
    const query = `email=${encodeURIComponent(PERSON.email)}`;
    const found = await send('GET', `/admin/customers?${query}`, undefined, { token: holder });
    expect([one.email, found.data.length]).toEqual([PERSON.email, 1]);
    await send('GET', `/admin/customers?${query}&${query}`, undefined, { token: holder });
  }
  given['staff token'] = token;
}

/** Secrets in the wrong place, and dependencies that break while they are about. */
async function faults(token: string): Promise<void> {
  const { email } = PERSON;
  await send('GET', `/products?email=${encodeURIComponent(email)}&token=${token}`);
  await send('GET', `/customers/${encodeURIComponent(email)}`);
  await send('GET', '/customers/me', undefined, { token: `${token.slice(0, -4)}AAAA` });
  await send('GET', '/customers/me', undefined, { headers: { authorization: `Basic ${token}` } });
  await send('POST', '/carts', { email: `${email}\0`, note: [PERSON.note], shipping_address: { ...ADDRESS, city: 5 } });
  for (const fault of [
    'drop_request',
    'drop_reply',
    { respond: { status: 500, body: `{"message":"${email}"}` } },
  ] as const) {
    stack.neon.inject(() => true, fault, 5);
    await send('PATCH', '/customers/me', { first_name, phone }, { token });
    await send('POST', '/auth/login', { email, password: PERSON.wrongPassword });
    stack.neon.clear();
  }
  stack.redis.inject(() => true, { respond: { status: 500, body: `{"error":"ERR ${token}"}` } }, 1);
  await send('GET', '/customers/me', undefined, { token });
  stack.redis.clear();
}

/** The last request's line and span come after everything before them. */
async function settle(): Promise<void> {
  const { headers } = await call(stack, 'GET', '/markets');
  await receiver.traceWith(headers.get('traceparent')?.split('-')[2] ?? '');
  const id = headers.get('x-request-id');
  await vi.waitFor(() => expect(stack.logs().some(({ request_id }) => request_id === id)).toBe(true), WAIT);
}

/** As it is, as a URL has it, in other cases and in base64; of a token also its parts. */
function formsOf(secret: string): string[] {
  const parts = secret.split('.').filter((part) => part.length > 30);
  const whole = [secret, encodeURIComponent(secret), secret.toLowerCase(), JSON.stringify(secret).slice(1, -1)];
  return [...new Set([...whole, ...parts, Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -2)])];
}

const hits = (where: string, secrets: Record<string, string>) =>
  Object.entries(secrets).flatMap(([name, secret]) =>
    formsOf(secret).flatMap((form) => {
      const at = where.indexOf(form);
      return at < 0 ? [] : [`${name}: ...${where.slice(Math.max(0, at - 150), at + 60)}`];
    }),
  );

describe('after a whole life of an account', () => {
  test('there was something to leak', () => {
    expect(Object.values(given).every((secret) => typeof secret === 'string' && secret.length > 15)).toBe(true);
    expect(Object.keys(given).length).toBeGreaterThanOrEqual(14);
    for (const route of [
      '/auth/login',
      '/auth/password/reset',
      '/customers/me/addresses',
      '/orders',
      '/admin/api-keys',
    ]) {
      expect(log).toContain(`/api/v1${route}`);
      expect(traces).toContain(`/api/v1${route}`);
    }
  });

  test('a leak would be found, however it is written', () => {
    for (const [name, secret] of Object.entries({ ...PERSON, ...given })) {
      for (const written of [secret, encodeURIComponent(secret), JSON.stringify(secret), btoa(secret)]) {
        expect(hits(`of ${written} and more`, { [name]: secret }).length).toBeGreaterThan(0);
      }
    }
  });

  test('logs hold nothing of the person, and no secret', () => {
    expect(hits(log, { ...PERSON, ...given })).toEqual([]);
  });

  test('traces hold nothing of the person, and no secret', () => {
    expect(hits(traces, { ...PERSON, ...given })).toEqual([]);
  });

  test('neither do the bindings of the Worker show', () => {
    const { bindings } = stack;
    const secrets = Object.entries(bindings).filter(([name]) => /SECRET|TOKEN|DATABASE_URL/.test(name));
    expect(secrets.length).toBeGreaterThan(6);
    for (const where of [log, traces]) expect(hits(where, Object.fromEntries(secrets))).toEqual([]);
  });

  test('audit log, outbox and stored replies hold ids, and nobody', async () => {
    for (const table of ['audit_log', 'outbox_events', 'idempotency_keys']) {
      const { rows } = await stack.owner.query<{ row: string }>(`select t::text as row from ${table} t`);
      const found = hits(rows.map(({ row }) => row).join('\n'), { ...PERSON, ...given });
      expect([table, found]).toEqual([table, []]);
    }
  });
});
