import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TestProvider } from '../../dev/provider/server.ts';
import { call, intentParams, type Receiver, startProvider, startReceiver } from './provider-fixture.ts';

let receiver: Receiver;
let provider: TestProvider;
beforeEach(async () => {
  receiver = await startReceiver();
  provider = await startProvider(receiver.url);
});
afterEach(async () => {
  await provider.close();
  await receiver.close();
});

const create = (token: string, more?: Record<string, string>) =>
  call(provider, '/v1/payment_intents', intentParams(token, more));
const types = () => receiver.received.map((event) => event.type);

test('every change is told, signed, with the intent as it was then', async () => {
  const { body } = await create('tok_ok', { capture_method: 'manual' });
  await provider.flushWebhooks();
  await call(provider, `/v1/payment_intents/${body.id}/capture`, {});
  await provider.flushWebhooks();
  await call(provider, '/v1/refunds', { payment_intent: body.id, amount: '100' });
  await create('tok_declined');
  await provider.flushWebhooks();
  expect(types().sort()).toEqual([
    'charge.refunded',
    'payment_intent.amount_capturable_updated',
    'payment_intent.payment_failed',
    'payment_intent.succeeded',
  ]);
  expect(receiver.received.every((event) => event.signatureValid)).toBe(true);
  expect(receiver.received[0]?.status).toBe('requires_capture');
  expect((await call(provider, '/v1/events')).body.data).toHaveLength(4);
});

test('a refused delivery is tried again, three times in all', async () => {
  receiver.refuse.push(500, 503);
  await create('tok_ok');
  await provider.flushWebhooks();
  expect(receiver.received).toHaveLength(3);
  expect(new Set(receiver.received.map((event) => event.id)).size).toBe(1);
  receiver.refuse.push(500, 500, 500);
  await create('tok_ok');
  await provider.flushWebhooks();
  expect(receiver.received).toHaveLength(6);
});

test('held webhooks wait for the flush and keep their order', async () => {
  provider.setWebhookMode('hold');
  const { body } = await create('tok_ok', { capture_method: 'manual' });
  await call(provider, `/v1/payment_intents/${body.id}/capture`, {});
  expect(receiver.received).toEqual([]);
  await provider.flushWebhooks();
  expect(types()).toEqual(['payment_intent.amount_capturable_updated', 'payment_intent.succeeded']);
});

test('reversed webhooks come newest first', async () => {
  await fetch(`${provider.url}/_webhooks`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_of_this_file' },
    body: JSON.stringify({ mode: 'reverse' }),
  });
  const { body } = await create('tok_ok', { capture_method: 'manual' });
  await call(provider, `/v1/payment_intents/${body.id}/capture`, {});
  await call(provider, '/_webhooks/flush', {});
  expect(types()).toEqual(['payment_intent.succeeded', 'payment_intent.amount_capturable_updated']);
});

test('a duplicate is the same event twice', async () => {
  provider.setWebhookMode('duplicate');
  await create('tok_ok');
  await provider.flushWebhooks();
  expect(receiver.received).toHaveLength(2);
  expect(receiver.received[0]?.id).toBe(receiver.received[1]?.id);
});

test('an unknown mode is refused', async () => {
  const headers = { authorization: 'Bearer sk_test_of_this_file' };
  const reply = await fetch(`${provider.url}/_webhooks`, { method: 'POST', headers, body: '{"mode":"eat"}' });
  expect(reply.status).toBe(400);
});
