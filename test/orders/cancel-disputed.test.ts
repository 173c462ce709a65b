import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as, type Asker } from '../admin/fixture.ts';
import { atProvider } from '../payments/fixture.ts';
import type { Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buy, chargeOf, done, expectStockAgrees, moneyMoves, type Bought } from './fixture.ts';

let stack: Stack;
let staff: Asker;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  const { token } = await createStaff(stack, ['orders:read', 'orders:write', 'payments:read', 'refunds:write']);
  staff = as(stack, token);
});
afterEach(() => expectStockAgrees(stack));
afterAll(() => stack.close());

const cancel = ({ id }: Bought, body: Json = {}) => staff.post(`/orders/${id}/cancel`, { reason: 'other', ...body });
const line = ({ itemIds }: Bought, at: number) => [{ item_id: itemIds[at], quantity: 1 }];
const totalOf = ({ order, itemIds }: Bought, at: number): number =>
  order.items.find(({ id }: Json) => id === itemIds[at]).total;
const paymentOf = async ({ order }: Bought): Promise<Json> =>
  (await staff.get(`/payments/${order.payments[0].id}`)).body;
const movesOf = async ({ id }: Bought) =>
  (await moneyMoves(stack, id)).filter((entry) => !entry.startsWith('chargeback'));

/** All that was paid for it is with the buyer's bank. */
async function disputed(bought: Bought): Promise<{ close(status: 'won' | 'lost'): Promise<void> }> {
  const { id } = await atProvider(stack, '/_disputes', { payment_intent: chargeOf(stack, bought.id)?.id ?? '' });
  await stack.provider.flushWebhooks();
  expect(await paymentOf(bought)).toMatchObject({ status: 'charged_back' });
  return {
    close: async (status) => {
      await atProvider(stack, '/_disputes/close', { id, status });
      await stack.provider.flushWebhooks();
    },
  };
}

const two = () =>
  buy(stack, [
    { quantity: 1, price: 1000 },
    { quantity: 1, price: 700 },
  ]);

describe('an order that is canceled while a bank holds its money', () => {
  test.each(['told once', 'told twice'] as const)('gives it back when the shop wins it, %s', async (how) => {
    const bought = await two();
    const dispute = await disputed(bought);
    done(await cancel(bought));
    expect(await movesOf(bought)).toEqual([]);
    if (how === 'told twice') stack.provider.setWebhookMode('duplicate');
    await dispute.close('won');
    await stack.provider.flushWebhooks();
    stack.provider.setWebhookMode('hold');
    const { total } = bought.order;
    expect(await movesOf(bought)).toEqual([`refund request ${total}`, `refund success ${total}`]);
    expect(chargeOf(stack, bought.id)).toMatchObject({ captured: total, refunded: total });
    expect(await paymentOf(bought)).toMatchObject({ status: 'refunded', refunded_amount: total });
  });

  test('moves nothing when the shop loses it', async () => {
    const bought = await two();
    const dispute = await disputed(bought);
    done(await cancel(bought));
    await dispute.close('lost');
    expect(await movesOf(bought)).toEqual([]);
    expect(await paymentOf(bought)).toMatchObject({ status: 'charged_back', refunded_amount: 0 });
  });

  test('keeps what it wins when the money was not to follow', async () => {
    const bought = await two();
    const dispute = await disputed(bought);
    done(await cancel(bought, { refund: false }));
    await dispute.close('won');
    expect(await movesOf(bought)).toEqual([]);
    expect(await paymentOf(bought)).toMatchObject({ status: 'captured', refunded_amount: 0 });
  });
});

describe('a line that is canceled while a bank holds its money', () => {
  test('is given back when the shop wins, and the rest when that is canceled', async () => {
    const bought = await two();
    const dispute = await disputed(bought);
    done(await cancel(bought, { items: line(bought, 1) }));
    const [share, { total }] = [totalOf(bought, 1), bought.order];
    await dispute.close('won');
    expect(await movesOf(bought)).toEqual([`refund request ${share}`, `refund success ${share}`]);
    expect(await staff.post(`/orders/${bought.id}/refunds`, { items: line(bought, 1), reason: 'other' })).toMatchObject(
      {
        status: 422,
      },
    );
    done(await cancel(bought));
    expect(chargeOf(stack, bought.id)).toMatchObject({ captured: total, refunded: total });
  });

  test('after some of it had gone back: the shop keeps what the other line cost', async () => {
    const bought = await buy(stack, [
      { quantity: 1, price: 1000 },
      { quantity: 1, price: 700 },
      { quantity: 1, price: 300 },
    ]);
    done(await cancel(bought, { items: line(bought, 2) }));
    const dispute = await disputed(bought);
    done(await cancel(bought, { items: line(bought, 1) }));
    await dispute.close('won');
    const back = totalOf(bought, 1) + totalOf(bought, 2);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: back });
  });
});
