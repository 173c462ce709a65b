import { createHash, randomInt, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { call, type Reply } from '../support/shop.ts';
import { register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { appCode, enrollTotp } from '../support/totp.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { TRUSTED_IP_HEADER: 'x-real-ip' } });
});
afterAll(() => stack.close());
beforeEach(async () => {
  stack.neon.clear();
  await stack.owner.query('delete from login_failures');
});

const WRONG = 'a wrong password';
const group = () => randomInt(65_536).toString(16);
const newNetwork = () => `2001:db8:${group()}:${group()}::1`;
const newEmail = () => `${randomUUID()}@people.example.test`;
const login = (email: string, password: string, network: string): Promise<Reply> =>
  call(stack, 'POST', '/auth/login', { email, password }, { headers: { 'x-real-ip': network } });
const outcome = ({ status, body }: Reply) => (status === 200 ? 'signed in' : body.code);
const retryAfter = ({ headers }: Reply) => Number(headers.get('retry-after'));

async function fail(email: string, network: string, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    expect(outcome(await login(email, WRONG, network))).toBe('invalid_credentials');
  }
}

/** Failures of every subject, most first. */
async function failures(): Promise<number[]> {
  const { rows } = await stack.owner.query('select failures from login_failures order by failures desc');
  return rows.map((row) => row.failures);
}

const endLocks = () => stack.owner.query(`update login_failures set locked_until = now() - interval '1 second'`);

describe('five failures of one e-mail from one network', () => {
  test('lock the two of them for a minute, and nobody else', async () => {
    const [person, other, network] = [await register(stack), await register(stack), newNetwork()];
    await fail(person.email, network, 5);
    const locked = await login(person.email, person.password, network);
    expect([locked.status, outcome(locked)]).toEqual([429, 'login_locked']);
    expect(retryAfter(locked)).toBeGreaterThan(0);
    expect(retryAfter(locked)).toBeLessThanOrEqual(60);
    expect(outcome(await login(person.email, person.password, newNetwork()))).toBe('signed in');
    expect(outcome(await login(other.email, other.password, network))).toBe('signed in');
    expect(outcome(await login(person.email.toUpperCase(), person.password, network))).toBe('login_locked');
    await endLocks();
    expect(outcome(await login(person.email, person.password, network))).toBe('signed in');
  });

  test('lock an e-mail that nobody has just the same', async () => {
    const { email } = await register(stack);
    const seen: unknown[][] = [];
    for (const tried of [email, newEmail()]) {
      const network = newNetwork();
      const replies: unknown[] = [];
      for (let time = 0; time < 7; time += 1) {
        stack.neon.clear();
        const { status, body } = await login(tried, WRONG, network);
        replies.push([status, body.code, body.detail, body.title, stack.neon.exchanges.length]);
      }
      seen.push(replies);
    }
    expect(seen[0]?.slice(-3).map((reply) => (reply as unknown[])[0])).toEqual([401, 429, 429]);
    expect(seen[1]).toEqual(seen[0]);
  });

  test('are one subject for all addresses of an IPv6 network', async () => {
    const email = newEmail();
    const prefix = `2001:db8:${group()}:${group()}`;
    for (let host = 1; host <= 5; host += 1) await fail(email, `${prefix}::${host}`, 1);
    expect(outcome(await login(email, WRONG, `${prefix}:1:2:3:4`))).toBe('login_locked');
    expect(outcome(await login(email, WRONG, newNetwork()))).toBe('invalid_credentials');
  });

  test('while locked, a try is one read: it counts nothing and changes nothing', async () => {
    const [email, network] = [newEmail(), newNetwork()];
    await fail(email, network, 5);
    const before = await stack.owner.query('select * from login_failures order by subject');
    stack.neon.clear();
    expect(outcome(await login(email, WRONG, network))).toBe('login_locked');
    expect(stack.neon.exchanges).toHaveLength(1);
    const after = await stack.owner.query('select * from login_failures order by subject');
    expect(after.rows).toEqual(before.rows);
  });
});

test('each failure after the fifth locks twice as long, up to a quarter of an hour', async () => {
  const [email, network] = [newEmail(), newNetwork()];
  await fail(email, network, 5);
  const waits: number[] = [];
  for (let time = 0; time < 7; time += 1) {
    waits.push(retryAfter(await login(email, WRONG, network)));
    await endLocks();
    await fail(email, network, 1);
  }
  const minutes = waits.map((seconds) => Math.ceil(seconds / 60));
  expect(minutes).toEqual([1, 2, 4, 8, 15, 15, 15]);
});

test('twenty wrong tries at once from twenty networks are counted as twenty, and lock the e-mail everywhere', async () => {
  const { email, password } = await register(stack);
  const networks = Array.from({ length: 20 }, newNetwork);
  const tries = await Promise.all(networks.map((network) => login(email, WRONG, network)));
  // The queue of hashes holds fewer than twenty: who was turned away comes back.
  let turnedAway = networks.filter((_, index) => tries[index]?.status === 503);
  for (let round = 0; turnedAway.length > 0 && round < 5; round += 1) {
    const again = await Promise.all(turnedAway.map((network) => login(email, WRONG, network)));
    turnedAway = turnedAway.filter((_, index) => again[index]?.status === 503);
    expect(again.every(({ status }) => status === 401 || status === 503)).toBe(true);
  }
  expect(await failures()).toEqual([20, ...Array.from({ length: 40 }, () => 1)]);
  expect(outcome(await login(email, password, newNetwork()))).toBe('login_locked');
});

test('a network that fails fifty times is locked for every e-mail', async () => {
  const [person, network] = [await register(stack), newNetwork()];
  for (let time = 0; time < 2; time += 1) await fail(newEmail(), network, 1);
  await stack.owner.query('update login_failures set failures = 48 where failures = 2');
  await fail(newEmail(), network, 1);
  // A success of somebody else in that network takes nothing back.
  expect(outcome(await login(person.email, person.password, network))).toBe('signed in');
  await fail(newEmail(), network, 1);
  expect((await failures())[0]).toBe(50);
  expect(outcome(await login(person.email, person.password, network))).toBe('login_locked');
  expect(outcome(await login(person.email, person.password, newNetwork()))).toBe('signed in');
});

test('a success forgets what was counted against the e-mail', async () => {
  const [{ email, password }, network] = [await register(stack), newNetwork()];
  for (let round = 0; round < 2; round += 1) {
    await fail(email, network, 4);
    expect(outcome(await login(email, password, network))).toBe('signed in');
  }
  // What is left is the network's.
  expect(await failures()).toEqual([8]);
});

test('a failure is forgotten with time', async () => {
  const [email, network] = [newEmail(), newNetwork()];
  await fail(email, network, 4);
  await stack.owner.query(`update login_failures set updated_at = updated_at - interval '31 minutes'`);
  await fail(email, network, 1);
  // Two quarters of an hour for the e-mail's two subjects; thirty-one minutes for the network's four.
  expect(await failures()).toEqual([3, 3, 1]);
});

test('of many guesses sent at once the right one reads like the others once these have locked, and does not pass', async () => {
  const [person, network] = [await register(stack), newNetwork()];
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const held = stack.neon.inject(({ requestBody }) => requestBody.includes('insert into sessions'), {
    hold_request: opened,
  });
  const right = login(person.email, person.password, network);
  await held.fired;
  await fail(person.email, network, 5);
  open();
  const refused = await right;
  expect([refused.status, outcome(refused), refused.body.detail]).toEqual([
    401,
    'invalid_credentials',
    'E-mail or password is wrong.',
  ]);
  const { rows } = await stack.owner.query('select count(*)::int as n from sessions where account_id = $1', [
    person.id,
  ]);
  expect(rows[0].n).toBe(1);
});

describe('of many guesses at a person with a second factor', () => {
  test('the right password, without a code, reads like the others once these have locked', async () => {
    const [person, network] = [await register(stack), newNetwork()];
    await enrollTotp(stack, person);
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const held = stack.neon.inject(({ requestBody }) => requestBody.includes('recovery_codes'), { hold_reply: opened });
    const right = login(person.email, person.password, network);
    await held.fired;
    await fail(person.email, network, 5);
    open();
    expect(outcome(await right)).toBe('invalid_credentials');
  });

  test('the right code reads like a wrong one', async () => {
    const [person, network] = [await register(stack), newNetwork()];
    const { secret } = await enrollTotp(stack, person);
    await stack.owner.query('update accounts set totp_last_step = 0');
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const held = stack.neon.inject(({ requestBody }) => requestBody.includes('insert into sessions'), {
      hold_request: opened,
    });
    const shown = { email: person.email, password: person.password, totp_code: appCode(secret) };
    const right = call(stack, 'POST', '/auth/login', shown, { headers: { 'x-real-ip': network } });
    await held.fired;
    await fail(person.email, network, 5);
    open();
    const { status, body } = await right;
    expect([status, body.code, body.detail]).toEqual([
      401,
      'totp_required',
      'The code is wrong, too old or was used before.',
    ]);
  });
});

test('no row tells an e-mail or an address, nor a digest that anybody could make', async () => {
  const [email, network] = [newEmail(), '203.0.113.7'];
  await fail(email, network, 1);
  const { rows } = await stack.owner.query('select f::text as row from login_failures f');
  const dump = rows.map(({ row }) => row).join('\n');
  for (const told of [email, network, email.split('@')[0] ?? '']) expect(dump).not.toContain(told);
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    expect(dump).not.toContain(createHash('sha256').update(`login failures of email ${email}`).digest(encoding));
  }
});

test('the clockwork takes old rows away', async () => {
  await fail(newEmail(), newNetwork(), 1);
  await stack.owner.query(`update login_failures set updated_at = now() - interval '25 hours'`);
  await fail(newEmail(), newNetwork(), 1);
  expect((await stack.worker.scheduled({ cron: '* * * * *' })).outcome).toBe('ok');
  expect(await failures()).toEqual([1, 1, 1]);
});
