import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { atProvider, CAPTURED, placePaid, tick } from '../payments/fixture.ts';
import { startStack, type Stack } from '../support/stack.ts';

const TOKEN = 'metrics-token-of-this-file';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { METRICS_TOKEN: TOKEN, METRICS_FLUSH_SECONDS: '1' } });
  stack.provider.setWebhookMode('hold');
});
afterAll(() => stack.close());

async function gauges(): Promise<{ waiting: number; given_up: number }> {
  const reply = await stack.fetch('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } });
  const text = await reply.text();
  const value = (name: string) =>
    Number(new RegExp(`^ecommerce_payment_webhooks_${name} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  return { waiting: value('waiting'), given_up: value('given_up') };
}

async function becomes(expected: Awaited<ReturnType<typeof gauges>>): Promise<void> {
  for (let tries = 0; tries < 25; tries += 1) {
    const { waiting, given_up } = await gauges();
    if (waiting === expected.waiting && given_up === expected.given_up) return;
    await sleep(200);
  }
  expect(await gauges()).toEqual(expected);
}

/** As if the event had come so long ago and had been looked at so often. */
async function aged(hours: number, attempts: number): Promise<void> {
  await stack.owner.query(
    `update payment_webhook_events set received_at = now() - make_interval(hours => $1), attempts = $2
     where applied_at is null`,
    [hours, attempts],
  );
}

async function attempts(): Promise<number[]> {
  const { rows } = await stack.owner.query('select attempts from payment_webhook_events where applied_at is null');
  return rows.map((row) => row.attempts);
}

test('what a provider told is looked at for three days; then it is counted until somebody has it looked at again', async () => {
  const payment = await placePaid(stack, CAPTURED);
  await stack.provider.flushWebhooks();
  await tick(stack);
  await becomes({ waiting: 0, given_up: 0 });

  const rename = 'update payments set provider_reference = $2 where id = $1';
  await stack.owner.query(rename, [payment.id, null]);
  await atProvider(stack, '/_disputes', { payment_intent: payment.reference ?? '' });
  await stack.provider.flushWebhooks();
  await aged(60, 12);
  await tick(stack);
  expect(await attempts()).toEqual([12]);
  await becomes({ waiting: 1, given_up: 0 });

  await aged(71, 12);
  await tick(stack);
  expect(await attempts()).toEqual([13]);
  await becomes({ waiting: 0, given_up: 1 });
  await aged(24 * 80, 13);
  await tick(stack);
  expect(await attempts()).toEqual([13]);

  await stack.owner.query(rename, [payment.id, payment.reference]);
  await aged(1, 0);
  await tick(stack);
  expect(await attempts()).toEqual([]);
  await becomes({ waiting: 0, given_up: 0 });
});
