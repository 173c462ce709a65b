import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { atProvider, CAPTURED, paymentsAs, placePaid, tick } from './fixture.ts';

let stack: Stack;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  shop = paymentsAs(stack, (await createStaff(stack, ['payments:read'])).token);
});
afterAll(() => stack.close());

/** More than a tick looks at. */
const EVENTS = 60;
const LOOKED_AT = 50;

test('events of a provider that is not set up here any more count their tries, and hold up nobody', async () => {
  await stack.owner.query(
    `insert into payment_webhook_events (provider, event_id, type, received_at)
     select 'stripe', 'evt_off_' || nr, 'charge.refunded', now() - interval '10 minutes' from generate_series(1, $1) as nr`,
    [EVENTS],
  );
  const payment = await placePaid(stack, CAPTURED);
  await stack.provider.flushWebhooks();
  await atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '', amount: '100' });
  stack.payments.inject(({ path }) => path.startsWith('/v1/refunds'), 'drop_request', 3);
  await stack.provider.flushWebhooks();
  expect(await shop.get(payment)).toMatchObject({ refunded_amount: 0 });
  stack.payments.clear();
  await stack.owner.query(
    `update payment_webhook_events set received_at = now() - interval '9 minutes' where applied_at is null and provider = 'test'`,
  );
  // Each is due after one, two, four and eight of its ten minutes, so it stands before the other one up to four times.
  for (let looks = 0; looks < Math.ceil((EVENTS * 4 + 1) / LOOKED_AT); looks += 1) await tick(stack);
  expect(await shop.get(payment)).toMatchObject({ refunded_amount: 100 });
  const { rows } = await stack.owner.query(
    `select last_error, min(attempts) > 0 as is_counted, count(*)::int from payment_webhook_events
     where provider = 'stripe' group by 1`,
  );
  expect(rows).toEqual([{ last_error: 'provider_unavailable', is_counted: true, count: EVENTS }]);
});
