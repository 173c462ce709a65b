import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TestProvider } from '../../dev/provider/server.ts';
import { call, intentParams, startProvider } from './provider-fixture.ts';

let provider: TestProvider;
beforeEach(async () => {
  provider = await startProvider();
});
afterEach(() => provider.close());

const create = (token: string, more?: Record<string, string>, key?: string) =>
  call(provider, '/v1/payment_intents', intentParams(token, more), key);

describe('tokens', () => {
  test('tok_ok captures at once, or authorizes', async () => {
    const automatic = await create('tok_ok');
    expect(automatic).toMatchObject({
      status: 200,
      body: { object: 'payment_intent', status: 'succeeded', amount_received: 4200, amount_capturable: 0 },
    });
    const manual = await create('tok_ok', { capture_method: 'manual' });
    expect(manual.body).toMatchObject({ status: 'requires_capture', amount_received: 0, amount_capturable: 4200 });
  });

  test('tok_declined answers 402 with the intent, and charges nothing', async () => {
    const { status, body } = await create('tok_declined');
    expect(status).toBe(402);
    expect(body.error).toMatchObject({ type: 'card_error', code: 'card_declined', decline_code: 'generic_decline' });
    expect(body.error.payment_intent).toMatchObject({ status: 'requires_payment_method', amount_received: 0 });
    expect(provider.charges()).toMatchObject([{ payment_id: 'pay_1', captured: 0 }]);
  });

  test('tok_error fails the first call of a key without a charge, and the next goes through', async () => {
    expect(await create('tok_error', {}, 'a')).toMatchObject({ status: 500, body: { error: { type: 'api_error' } } });
    expect(provider.charges()).toEqual([]);
    expect((await create('tok_error', {}, 'a')).body.status).toBe('succeeded');
    expect((await create('tok_error', {}, 'a')).body.status).toBe('succeeded');
    expect(provider.charges()).toHaveLength(1);
  });

  test('tok_timeout charges but holds its first reply; the next call of the key has it at once', async () => {
    const first = create('tok_timeout', {}, 'a').then(
      () => 'answered',
      () => 'cut',
    );
    await expect.poll(() => provider.charges().length).toBe(1);
    const second = await create('tok_timeout', {}, 'a');
    expect(second.body.status).toBe('succeeded');
    expect(provider.charges()).toHaveLength(1);
    await provider.close();
    expect(['answered', 'cut']).toContain(await first);
  });

  test.each(['success', 'failure'])('tok_requires_action waits for the buyer: %s', async (outcome) => {
    const { body } = await create('tok_requires_action', { capture_method: 'manual' });
    expect(body.status).toBe('requires_action');
    const page = body.next_action.redirect_to_url.url;
    expect(await (await fetch(page)).text()).toContain('<form');
    await fetch(page, { method: 'POST', body: new URLSearchParams({ outcome }) });
    const after = await call(provider, `/v1/payment_intents/${body.id}`);
    expect(after.body.status).toBe(outcome === 'success' ? 'requires_capture' : 'requires_payment_method');
    expect(after.body.last_payment_error === null).toBe(outcome === 'success');
    expect((await fetch(page, { method: 'POST', body: new URLSearchParams({ outcome }) })).status).toBe(400);
  });

  test('an unknown token names its parameter', async () => {
    const { status, body } = await create('tok_nobody');
    expect([status, body.error.type, body.error.param]).toEqual([400, 'invalid_request_error', 'payment_method']);
  });
});

describe('idempotency', () => {
  test('the same key and parameters replay the stored reply, a decline too', async () => {
    const [first, again] = [await create('tok_ok', {}, 'a'), await create('tok_ok', {}, 'a')];
    expect(again).toEqual(first);
    const [declined, declinedAgain] = [await create('tok_declined', {}, 'b'), await create('tok_declined', {}, 'b')];
    expect(declinedAgain).toEqual(declined);
    expect(provider.charges()).toHaveLength(2);
  });

  test('the same key with other parameters is refused', async () => {
    await create('tok_ok', {}, 'a');
    const other = await create('tok_ok', { amount: '1' }, 'a');
    expect([other.status, other.body.error.type]).toEqual([400, 'idempotency_error']);
    expect(provider.charges()).toHaveLength(1);
  });

  test('a twin in flight answers 409, and one charge is made', async () => {
    provider.script({ match: { idempotency_key: 'a' }, delay_ms: 2_000 });
    const replies = await Promise.all([create('tok_ok', {}, 'a'), create('tok_ok', {}, 'a')]);
    expect(replies.map((reply) => reply.status).sort((a, b) => a - b)).toEqual([200, 409]);
    expect(provider.charges()).toHaveLength(1);
  });

  test('a refused request does not use up its key', async () => {
    expect((await create('tok_ok', { amount: '0' }, 'a')).status).toBe(400);
    expect((await create('tok_ok', {}, 'a')).status).toBe(200);
  });
});

describe('after authorization', () => {
  test('captures once, at most what was authorized', async () => {
    const { body } = await create('tok_ok', { capture_method: 'manual' });
    const capture = (amount: string) =>
      call(provider, `/v1/payment_intents/${body.id}/capture`, { amount_to_capture: amount });
    expect((await capture('4201')).body.error.code).toBe('amount_too_large');
    expect((await capture('4000')).body).toMatchObject({
      status: 'succeeded',
      amount_received: 4000,
      amount_capturable: 0,
    });
    expect((await capture('1')).body.error.code).toBe('payment_intent_unexpected_state');
  });

  test('cancels what is not captured, and nothing else', async () => {
    const open = await create('tok_ok', { capture_method: 'manual' });
    const paid = await create('tok_ok');
    const cancel = (id: string) => call(provider, `/v1/payment_intents/${id}/cancel`, {});
    expect((await cancel(open.body.id)).body).toMatchObject({ status: 'canceled', amount_capturable: 0 });
    expect((await cancel(paid.body.id)).status).toBe(400);
    expect((await cancel('pi_none')).status).toBe(404);
  });

  test('refunds add up to what was captured, never more', async () => {
    const { body } = await create('tok_ok');
    const refund = (amount?: string) =>
      call(provider, '/v1/refunds', { payment_intent: body.id, ...(amount === undefined ? {} : { amount }) });
    expect((await refund('1200')).body).toMatchObject({ object: 'refund', amount: 1200, status: 'succeeded' });
    expect((await refund('3001')).body.error.code).toBe('amount_too_large');
    expect((await refund()).body.amount).toBe(3000);
    expect((await refund()).body.error.code).toBe('charge_already_refunded');
    expect(provider.charges()).toMatchObject([{ captured: 4200, refunded: 4200 }]);
  });

  test('is found by the payment id that the shop gave it', async () => {
    const { body } = await create('tok_ok');
    await create('tok_ok', { 'metadata[payment_id]': 'pay_2' });
    const found = await call(provider, '/v1/payment_intents?metadata[payment_id]=pay_1');
    expect(found.body).toMatchObject({ object: 'list', data: [{ id: body.id }] });
    expect(found.body.data).toHaveLength(1);
    expect((await call(provider, '/v1/payment_intents?metadata[payment_id]=pay_3')).body.data).toEqual([]);
  });
});

describe('scripts and access', () => {
  test('a lost reply: charged, stored, and the connection cut', async () => {
    const script = { match: { method: 'POST', path: '/v1/payment_intents' }, lose_reply: true };
    const headers = { authorization: 'Bearer sk_test_of_this_file' };
    await fetch(`${provider.url}/_script`, { method: 'POST', headers, body: JSON.stringify(script) });
    await expect(create('tok_ok', {}, 'a')).rejects.toThrow('fetch failed');
    expect(provider.charges()).toHaveLength(1);
    expect((await create('tok_ok', {}, 'a')).body.status).toBe('succeeded');
    expect((await call(provider, '/_charges')).body.data).toHaveLength(1);
  });

  test('a scripted answer takes the place of the action, as often as it says', async () => {
    provider.script({ match: { path: '/v1/payment_intents/*/capture' }, status: 503, body: { error: {} }, times: 2 });
    const { body } = await create('tok_ok', { capture_method: 'manual' });
    const statuses = [];
    for (let i = 0; i < 3; i += 1)
      statuses.push((await call(provider, `/v1/payment_intents/${body.id}/capture`, {})).status);
    expect(statuses).toEqual([503, 503, 200]);
  });

  test.each([
    { script: {}, charged: 1 },
    { script: { status: 500 }, charged: 0 },
  ])('a failure that its key repeats, after $charged charges', async ({ script, charged }) => {
    provider.script({ match: { path: '/v1/payment_intents' }, keep_error: true, ...script });
    expect([(await create('tok_ok', {}, 'a')).status, (await create('tok_ok', {}, 'a')).status]).toEqual([500, 500]);
    expect(provider.charges()).toHaveLength(charged);
    expect((await create('tok_ok', {}, 'b')).status).toBe(200);
  });

  test('nothing without the key; nothing at an unknown address; nothing huge', async () => {
    expect((await fetch(`${provider.url}/v1/payment_intents`)).status).toBe(401);
    expect((await fetch(`${provider.url}/_charges`)).status).toBe(401);
    expect((await call(provider, '/v1/nothing')).status).toBe(404);
    expect((await create('tok_ok', { note: 'x'.repeat(70_000) })).status).toBe(413);
  });

  test.each([
    ['amount', '0'],
    ['amount', '1.5'],
    ['amount', 'many'],
    ['currency', 'USD'],
    ['confirm', 'false'],
    ['capture_method', 'later'],
  ])('refuses %s=%s and names it', async (param, value) => {
    const { status, body } = await create('tok_ok', { [param]: value });
    expect([status, body.error.param]).toEqual([400, param]);
    expect(provider.charges()).toEqual([]);
  });
});
