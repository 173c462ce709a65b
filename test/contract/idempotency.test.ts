import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiParameter, builtDocument, dereference } from '../support/contract.ts';
import { blockedIn } from '../support/locks.ts';
import { gate, isCharge } from '../support/order-path.ts';
import type { Reply } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';
import { digest, targetsOf } from '../security/operations.ts';
import { type Ask, MAKERS, type Shop } from './idempotent-targets.ts';

/** Replies with secrets in them, what a machine delivers, and what can be done twice; nothing else ignores the header. */
const EXEMPT = [
  'DELETE /auth/sessions',
  'DELETE /auth/sessions/{id}',
  'DELETE /customers/me',
  'POST /admin/api-keys',
  'POST /auth/email/verify',
  'POST /auth/email/verify/resend',
  'POST /auth/login',
  'POST /auth/logout',
  'POST /auth/oidc/{provider}/complete',
  'POST /auth/oidc/{provider}/start',
  'POST /auth/password/forgot',
  'POST /auth/password/reset',
  'POST /auth/refresh',
  'POST /auth/register',
  'POST /auth/totp/disable',
  'POST /auth/totp/enroll',
  'POST /auth/totp/recovery',
  'POST /auth/totp/verify',
  'POST /customers/me/password',
  'POST /metrics/push',
  'POST /orders/lookup',
  'POST /webhooks/payments/{provider}',
];
const CROWD = 100;

const document = builtDocument();
const mutating = targetsOf(document)
  .filter(({ verb }) => verb !== 'get')
  .map((target) => ({ ...target, name: target.name.replace('/api/v1', '') }));
const takesKey = ({ operation }: (typeof mutating)[number]) =>
  operation.parameters.some((each) => dereference<ApiParameter>(document, each).name === 'Idempotency-Key');
const keyed = mutating.filter(takesKey);

let shop: Shop;
beforeAll(async () => {
  const stack = await startStack({ env: { LOG_LEVEL: 'error' } });
  // What it tells later would blur what a request has done.
  stack.provider.setWebhookMode('hold');
  shop = { stack, staffToken: (await createStaff(stack, 'owner')).token };
});
afterAll(() => shop.stack.close());

test('the operations that ignore the header are these', () => {
  expect(
    mutating
      .filter((target) => !takesKey(target))
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(EXEMPT);
});

test('of every other operation there is a request that succeeds', () => {
  expect(Object.keys(MAKERS).toSorted()).toEqual(keyed.map(({ name }) => name).toSorted());
});

type Target = (typeof keyed)[number];

async function make({ name }: Target): Promise<Ask> {
  const maker = MAKERS[name];
  if (!maker) throw new Error(`no request for ${name}: add one to idempotent-targets.ts`);
  return await maker(shop);
}

async function send({ verb }: Target, ask: Ask, key: string, text = bodyOf(ask)): Promise<Reply> {
  const response = await shop.stack.fetch(`/api/v1${ask.path}`, {
    method: verb.toUpperCase(),
    headers: {
      'idempotency-key': key,
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...(ask.token !== undefined && { authorization: `Bearer ${ask.token}` }),
      ...ask.headers,
    },
    ...(text !== undefined && { body: text }),
  });
  const body = await response.text();
  return { status: response.status, headers: response.headers, text: body, body: body && JSON.parse(body) };
}

const bodyOf = ({ body }: Ask): string | undefined => (body === undefined ? undefined : JSON.stringify(body));

/** What a client may go on with. */
const headersOf = ({ headers }: Reply) =>
  ['content-type', 'etag', 'location', 'cache-control'].map((name) => headers.get(name));

/** How many rows each table has more than before. */
async function effectOf(run: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await digest(shop.stack);
  await run();
  const after = await digest(shop.stack);
  const grown = Object.keys(after).map((table) => [table, countOf(after[table]) - countOf(before[table])] as const);
  return Object.fromEntries(grown.filter(([, more]) => more !== 0));
}

const countOf = (digested = ''): number => Number.parseInt(digested, 10);

/** What a request does when it is alone. */
const alone = new Map<string, Record<string, number>>();

describe.each(keyed)('$name', (target) => {
  test('answers the same key with the same bytes, and another body with 422', async () => {
    const ask = await make(target);
    const key = randomUUID();
    let first!: Reply;
    const effect = await effectOf(async () => {
      first = await send(target, ask, key);
      await awaitStored(shop.stack, key).catch(() => undefined);
      await ask.settled?.();
    });
    alone.set(target.name, effect);
    expect(first.status, first.text).toBeLessThan(300);
    await awaitStored(shop.stack, key);

    const again = await send(target, ask, key);
    expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([
      first.status,
      first.text,
      'true',
    ]);
    expect(headersOf(again)).toEqual(headersOf(first));
    const other = await send(target, ask, key, `${bodyOf(ask) ?? '{}'} `);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
  });

  test('tells a twin of one that is still running to come again', async () => {
    const ask = await make(target);
    const key = randomUUID();
    const held = await (target.name === 'POST /orders' ? holdProvider() : holdKeys());
    const first = send(target, ask, key);
    await held.reached();
    const twin = await send(target, ask, key);
    await held.release();
    expect([twin.status, twin.body.code]).toEqual([409, 'idempotency_in_flight']);
    expect(Number(twin.headers.get('retry-after'))).toBeGreaterThan(0);
    const answered = await first;
    expect(answered.status, answered.text).toBeLessThan(300);
    await ask.settled?.();
  });

  test(`has one effect when ${CROWD} ask at once`, async () => {
    const ask = await make(target);
    const key = randomUUID();
    let replies: Reply[] = [];
    const effect = await effectOf(async () => {
      replies = await Promise.all(Array.from({ length: CROWD }, () => send(target, ask, key)));
      await ask.settled?.();
    });
    const answers = replies.map(({ status, body }) => (status < 300 ? 'done' : `${status} ${body.code}`));
    expect(answers.filter((answer) => answer !== 'done' && answer !== '409 idempotency_in_flight')).toEqual([]);
    expect(answers).toContain('done');
    // A twin that comes before the reply is stored is answered with the resource as it is by then.
    const told = replies.filter(({ status }) => status < 300).map(({ status, body }) => `${status} ${body?.id}`);
    expect(new Set(told).size).toBe(1);
    expect(effect).toEqual(alone.get(target.name));
  });
});

interface Held {
  reached(): Promise<unknown>;
  release(): Promise<unknown>;
}

/** The batch that claims the key stands still in the middle of its transaction. */
async function holdKeys(): Promise<Held> {
  const client = await shop.stack.owner.connect();
  await client.query('begin');
  await client.query('lock table idempotency_keys in exclusive mode');
  return {
    async reached() {
      while ((await blockedIn(shop.stack)) === 0) await sleep(5);
    },
    async release() {
      await client.query('commit');
      client.release();
    },
  };
}

/** An order has claimed its key, and the provider is being asked. */
async function holdProvider(): Promise<Held> {
  const slow = gate();
  const { fired } = shop.stack.payments.inject(isCharge, { hold_request: slow.opened });
  return { reached: () => fired, release: async () => slow.open() };
}
