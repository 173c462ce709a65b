import { describe, expect, test } from 'vitest';
import { describeCause } from '../../src/platform/http/problem.ts';
import { createIds } from '../../src/platform/id.ts';
import type { Logger } from '../../src/platform/telemetry/log.ts';
import { loggableId, redact } from '../../src/platform/telemetry/redact.ts';
import { startSpan } from '../../src/platform/telemetry/trace/span.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';
const CART = 'Jx3-k9_QwErTy0aBcDeFgH';
const ID = '0199a1b2-0000-7000-8000-000000000001';

describe('redact', () => {
  test.each([
    ['user ada.lovelace+shop@example.co.uk is taken', 'user [redacted] is taken'],
    ['key (email)=(ada@example.test) exists', 'key (email)=([redacted]) exists'],
    ['"to":"ada@example.test","n":1', '"to":"[redacted]","n":1'],
    ['ada%40example.test', '[redacted]'],
    ['ada%2540example.test', '[redacted]'],
    [`jwt ${JWT} expired`, 'jwt [redacted] expired'],
    ['token=eyJhbGciOi', 'token=[redacted]'],
    ['Invalid API Key: sk_test_4eC39HqLyjWDarjtT1zdp7dc', 'Invalid API Key: [redacted]'],
    ['no such token tok_ok, no pm_card_visa', 'no such token [redacted], no [redacted]'],
    ['Authorization: Bearer AXkEAA-abcdefgh==', 'Authorization: Bearer [redacted]'],
    ['authorization: basic Zm9vOmJhcg==', 'authorization: basic [redacted]'],
    ['postgres://app:pa/ss?w@db.example:5432/shop down', 'postgres://[redacted]@db.example:5432/shop down'],
    [
      'fetch https://api.example.test/v1/charge?card=4242&x=1 failed',
      'fetch https://api.example.test/v1/charge?[redacted] failed',
    ],
    ['GET /reset?code=abc', 'GET /reset?[redacted]'],
    ['GET /café?code=abc', 'GET /café?[redacted]'],
    ['https://x.test/cb#access_token=abc', 'https://x.test/cb#[redacted]'],
    [`cart ${CART} is gone`, 'cart [redacted] is gone'],
    [`/carts/${CART}/items`, '/carts/[redacted]/items'],
    [`/carts%2F${CART}%2Fitems`, '/carts%2F[redacted]%2Fitems'],
    ['of order q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA.', 'of order [redacted].'],
  ])('%s', (text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  test.each([
    `DatabaseUnreachable: database unreachable <- TypeError: fetch failed`,
    `database error {"code":"23505","constraint":"accounts_pkey","table":"accounts","routine":"_bt_check_unique"}`,
    'UPSTASH_REDIS_REST_URL is missing',
    'OTLP_ENDPOINT must take OTLP over HTTP, as port 4318 does: http://<host>:4318/v1/traces',
    'POST https://api.example.test:8443/v1/payment_intents: what now? 12 > 3',
    `${ID} 4bf92f3577b34da6a3ce929d0e0e4736 a-handle-of-22-letters`,
    `select data ? 'key', tags @> $1, (data->>'n')::int from outbox_events where id = $2`,
  ])('leaves as it is: %s', (text) => {
    expect(redact(text)).toBe(text);
  });

  test('knows every cart id that is made', () => {
    const { capability } = createIds({ now: () => new Date() });
    const shown = Array.from({ length: 100_000 }, () => redact(`cart ${capability()} is gone`));
    expect(new Set(shown)).toEqual(new Set(['cart [redacted] is gone']));
  });

  test('is bounded: in what it answers, and in its time for what would be the worst text', () => {
    expect(redact('word '.repeat(1_000)).length).toBeLessThanOrEqual(2_049);
    expect(redact(`${'x'.repeat(2_040)} ${'sk_live_'.repeat(9)}`)).toBe(`${'x'.repeat(2_040)}…`);
    const worst = [
      'a'.repeat(9_000),
      'a.'.repeat(4_500),
      'https://'.repeat(1_100),
      'eyJaaaa.'.repeat(1_100),
      'a%4'.repeat(3_000),
    ];
    const startedAtMs = performance.now();
    for (const text of worst) redact(text, 9_001);
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  });

  test('reaches every cause in the chain', () => {
    const root = new Error('connect postgres://app:secret@db/shop');
    const error = new Error('mail to ada@example.test', { cause: new TypeError('fetch failed', { cause: root }) });
    expect(describeCause(error)).toBe(
      'Error: mail to [redacted] <- TypeError: fetch failed <- Error: connect postgres://[redacted]@db/shop',
    );
    expect(describeCause(JWT)).toBe('[redacted]');
  });
});

describe('an id', () => {
  test('is shown when it is one', () => {
    for (const id of [ID, '4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']) expect(loggableId(id)).toBe(id);
    expect(loggableId(null)).toBeNull();
  });

  test.each(['ada@example.test', CART, JWT, '', 'Ada Lovelace', `${ID} `])('%j is not one', (id) => {
    expect(loggableId(id)).toBe('[redacted]');
  });
});

/** Never run: what does not compile is the test, and `tsc -p test/tsconfig.json` runs it. */
export function typeTests(log: Logger, account: { id: string; email: string }): void {
  const { email } = account;
  const span = startSpan('GET');

  log.log('info', 'order placed', { order_id: loggableId(account.id), status: 200, cause: redact(email) });
  log.log('info', redact(email));
  // @ts-expect-error -- no such field: a password, token, e-mail or address has none
  log.log('info', 'login', { password: redact('x') });
  // @ts-expect-error -- no such field, and none of a row that is passed on whole
  log.log('info', 'login', account);
  // @ts-expect-error -- a plain string in place of an id
  log.log('info', 'login', { user_id: email });
  // @ts-expect-error -- a plain string in a text
  log.log('info', 'login', { cause: email });
  // @ts-expect-error -- a word that is not on the field's list
  log.log('info', 'login', { limiter: 'ada@example.test' });
  // @ts-expect-error -- a message that is not written out in the source
  log.log('info', email);
  // @ts-expect-error -- nor a part of it
  log.log('info', `login of ${email}`);
  // @ts-expect-error -- the same for what every line says
  log.child(() => ({ user_id: email }));

  span.set({ 'http.response.status_code': 200, 'user.id': loggableId(account.id) });
  // @ts-expect-error -- no such attribute
  span.set({ 'user.email': redact(email) });
  // @ts-expect-error -- a plain string in place of an id
  span.set({ 'user.id': email });
  // @ts-expect-error -- a name that is not written out in the source
  startSpan(`GET ${email}`);
  // @ts-expect-error -- a reason that is not on the list
  span.event('retry', { reason: email });
}
