import type * as NodeCrypto from 'node:crypto';
import { randomUUID, scryptSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { signIn } from '../../src/domains/identity/sign-in.ts';
import type { SignInRow } from '../../src/domains/identity/queries/sign-in.ts';
import { hashPassword } from '../../src/platform/auth/password.ts';
import { sql, type Sql } from '../../src/platform/db/sql.ts';
import type { Deps } from '../../src/platform/deps.ts';
import { call, type CallOptions, type Json } from '../support/shop.ts';
import { register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

/** Derivations of the sign-ins that this process runs itself. */
const counted = vi.hoisted(() => ({ hashes: 0 }));

vi.mock('node:crypto', async (importActual) => {
  const actual = await importActual<typeof NodeCrypto>();
  type Scrypt = (password: string, salt: Uint8Array, bytes: number, options: object, done: () => void) => void;
  const scrypt: Scrypt = (...given) => {
    counted.hashes += 1;
    actual.scrypt(...given);
  };
  return { ...actual, scrypt };
});

const PASSWORD = 'correct horse battery';
const NETWORK = '192.0.2.1';
const newEmail = () => `${randomUUID()}@people.example.test`;

describe('what a try costs', () => {
  let known: SignInRow;
  beforeAll(async () => {
    known = {
      id: randomUUID(),
      kind: 'customer',
      email: 'known@example.test',
      password_hash: await hashPassword(PASSWORD),
      totp_secret: null,
      totp_active: false,
      totp_last_step: 0,
      recovery_code_good: false,
    };
  });

  interface Tried {
    hashes: number;
    reads: number;
    writes: number;
    counts: Json[];
    code: string;
  }

  /** Signs in at a database that answers `account` and `lock`; counts what was done on the way. */
  async function attempt(
    shown: Json,
    account: SignInRow | null,
    lock: { retry_after_s: number } | null = null,
  ): Promise<Tried> {
    const tried: Tried = { hashes: 0, reads: 0, writes: 0, counts: [], code: 'signed_in' };
    const db = {
      read: () => {
        tried.reads += 1;
        return Promise.resolve([lock ? [lock] : [], account ? [account] : [], []]);
      },
      write: () => {
        tried.writes += 1;
        return Promise.resolve([]);
      },
      commit: () => {
        tried.writes += 1;
        return Promise.resolve({ id: randomUUID() });
      },
    };
    const deps: Json = {
      db,
      config: { JWT_REFRESH_SECRET: 'x'.repeat(32), JWT_REFRESH_TTL: 3600 },
      clock: { now: () => new Date() },
      ids: { uuid: () => randomUUID() },
      metrics: { count: (...given: Json[]) => tried.counts.push(given) },
      defer: () => undefined,
    };
    const also: Sql = sql`select 1`;
    counted.hashes = 0;
    try {
      await signIn(deps as Deps, { network: NETWORK, ...shown }, also);
    } catch (error) {
      tried.code = (error as { code: string }).code;
    }
    return { ...tried, hashes: counted.hashes };
  }

  const outcome = (value: string) => [['ecommerce_logins_total', [value]]];

  test('is one hash, one read and one write for a wrong password, an unknown e-mail and a provider’s account', async () => {
    const shown = { email: 'known@example.test', password: 'wrong' };
    const refused = { hashes: 1, reads: 1, writes: 1, counts: outcome('failure'), code: 'invalid_credentials' };
    expect(await attempt(shown, known)).toEqual(refused);
    expect(await attempt(shown, null)).toEqual(refused);
    expect(await attempt(shown, { ...known, password_hash: null })).toEqual(refused);
  });

  test('is one hash, one read and one write for the right one', async () => {
    const shown = { email: 'known@example.test', password: PASSWORD };
    const passed = { hashes: 1, reads: 1, writes: 1, counts: outcome('success'), code: 'signed_in' };
    expect(await attempt(shown, known)).toEqual(passed);
  });

  test('is no hash and no write while a lock is on, whoever it locks', async () => {
    const shown = { email: 'known@example.test', password: PASSWORD };
    const locked = { hashes: 0, reads: 1, writes: 0, counts: outcome('locked'), code: 'login_locked' };
    expect(await attempt(shown, known, { retry_after_s: 7 })).toEqual(locked);
    expect(await attempt(shown, null, { retry_after_s: 7 })).toEqual(locked);
  });

  test('is one hash where a second factor is needed, which a missing code does not count against', async () => {
    const account = { ...known, totp_active: true, totp_secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ' };
    const shown = { email: 'known@example.test', password: PASSWORD };
    // The second read asks whether a lock has fallen meanwhile: then the right password is not told from a wrong one.
    const needed = { hashes: 1, reads: 2, writes: 0, counts: outcome('second_factor_needed'), code: 'totp_required' };
    expect(await attempt(shown, account)).toEqual(needed);
    const wrong = { ...needed, reads: 1, writes: 1, counts: outcome('failure') };
    expect(await attempt({ ...shown, totpCode: '12345x' }, account)).toEqual(wrong);
    expect(await attempt({ ...shown, recoveryCode: 'AAAA' }, account)).toEqual(wrong);
    // Nothing of a second factor is said before the password is right.
    expect((await attempt({ ...shown, password: 'wrong' }, account)).code).toBe('invalid_credentials');
  });
});

describe('through the door', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack.close());
  beforeEach(async () => {
    await stack.owner.query('delete from login_failures');
  });

  const login = (body: Json, options: CallOptions = {}) => call(stack, 'POST', '/auth/login', body, options);
  const hashOf = async (id: string): Promise<string> =>
    (await stack.owner.query('select password_hash from accounts where id = $1', [id])).rows[0].password_hash;

  test('unknown, known, closed and provider’s accounts are told apart by nothing', async () => {
    const [known, closed, linked] = [await register(stack), await register(stack), await register(stack)];
    await stack.owner.query(`update accounts set status = 'deactivated' where id = $1`, [closed.id]);
    await stack.owner.query('update accounts set password_hash = null where id = $1', [linked.id]);
    const seen: Json[] = [];
    for (const email of [known.email, newEmail(), closed.email, linked.email]) {
      stack.neon.clear();
      const { status, text, headers } = await login(
        { email, password: 'a wrong password' },
        { headers: { 'x-request-id': 'same' } },
      );
      const names = [...headers.keys()].filter((name) => !name.startsWith('ratelimit')).toSorted();
      const statements = stack.neon.exchanges.map(({ requestBody }) => JSON.parse(requestBody).queries.length);
      seen.push({ status, text, names, statements });
    }
    expect(seen[0]).toMatchObject({ status: 401, statements: [3, 3] });
    for (const other of seen) expect(other).toEqual(seen[0]);
  });

  test('a password changed while it was being checked is refused, also when it was right', async () => {
    const person = await register(stack);
    const other = await hashPassword('the password of today');
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const held = stack.neon.inject(({ requestBody }) => requestBody.includes('insert into sessions'), {
      hold_request: opened,
    });
    const signingIn = login({ email: person.email, password: person.password });
    await held.fired;
    await stack.owner.query('update accounts set password_hash = $2 where id = $1', [person.id, other]);
    open();
    const { status, body } = await signingIn;
    expect([status, body.code]).toEqual([401, 'invalid_credentials']);
    expect((await login({ email: person.email, password: 'the password of today' })).status).toBe(200);
  });

  test('a hash of a lower cost is made anew by the sign-in that shows its password', async () => {
    const person = await register(stack);
    const salt = Buffer.alloc(16, 7);
    const key = scryptSync(person.password, salt, 32, { N: 1024, r: 8, p: 1 });
    const cheap = `scrypt$1024$8$1$${salt.toString('base64')}$${key.toString('base64')}`;
    await stack.owner.query('update accounts set password_hash = $2 where id = $1', [person.id, cheap]);
    const credentials = { email: person.email, password: person.password };
    expect((await login({ ...credentials, password: 'not it' })).status).toBe(401);
    expect(await hashOf(person.id)).toBe(cheap);
    expect((await login(credentials)).status).toBe(200);
    await vi.waitFor(async () => expect(await hashOf(person.id)).toMatch(/^scrypt\$16384\$8\$5\$/), {
      timeout: 20_000,
    });
    const today = await hashOf(person.id);
    expect((await login(credentials)).status).toBe(200);
    expect(await hashOf(person.id)).toBe(today);
  });

  test('an Idempotency-Key is not read, and no reply with tokens is kept', async () => {
    const { email, password } = await register(stack);
    const replies = [
      await login({ email, password }, { key: 'the same key' }),
      await login({ email, password }, { key: 'the same key' }),
      await login({ email, password: 'another body' }, { key: 'the same key' }),
    ];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 401]);
    expect(replies[0]?.body.refresh_token).not.toBe(replies[1]?.body.refresh_token);
    const { rows } = await stack.owner.query('select count(*)::int as n from idempotency_keys');
    expect(rows[0].n).toBe(0);
  });

  test('the demo’s staff sign in without a second factor outside production', async () => {
    const { status, body } = await login({ email: 'admin@demo.test', password: 'demo-admin-password' });
    expect(status).toBe(200);
    expect((await call(stack, 'GET', '/admin/audit-log', undefined, { token: body.access_token })).status).toBe(200);
  });

  test.each([
    ['totp_code', '12345'],
    ['totp_code', '1234567'],
    ['totp_code', '１２３４５６'],
    ['totp_code', 123_456],
  ])('a malformed %s %s is refused before anything is read', async (param, value) => {
    stack.neon.clear();
    const { status, body } = await login({ email: newEmail(), password: 'x', [param]: value });
    expect([status, body.code, body.param]).toEqual([422, 'validation_failed', param]);
    expect(stack.neon.exchanges).toEqual([]);
  });
});
