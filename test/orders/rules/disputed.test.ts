import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planCancel } from '../../../src/domains/orders/rules/cancel.ts';
import { planRefund } from '../../../src/domains/orders/rules/refund.ts';
import type { OrderState } from '../../../src/domains/orders/rules/state.ts';
import { canceled, inTens, order, refunded } from './shop.ts';

const lines = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 100_000 })), {
  minLength: 1,
  maxLength: 4,
});
/** Which line, how many of its units, and whether their money is to follow. */
const cancels = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 5 }), fc.boolean()), { maxLength: 6 });

type Cancel = readonly [line: number, count: number, refund: boolean];

function cancelLine(state: OrderState, [at, count, refund]: Cancel): OrderState {
  const item = state.items[at % state.items.length];
  const left = item ? item.quantity - item.canceled_quantity : 0;
  if (!item || left === 0) return state;
  const items = [{ item_id: item.id, quantity: Math.min(count, left) }];
  return canceled(state, planCancel(state, { items, refund, byBuyer: false }));
}

function cancelRest(state: OrderState): OrderState {
  if (state.status === 'canceled') return state;
  return canceled(state, planCancel(state, { refund: true, byBuyer: false }));
}

function paymentOf({ payment }: OrderState) {
  if (payment === null) throw new Error('no payment');
  return payment;
}

const withDispute = (state: OrderState, charged_back: number): OrderState => ({
  ...state,
  payment: { ...paymentOf(state), charged_back },
});

/** Of the money that was taken, what the shop has when nothing is disputed and all that is not due has gone back. */
function staying(state: OrderState): number {
  const { amount, captured, refunded: back, waived_amount } = paymentOf(state);
  return Math.min(captured - back, Math.max(0, amount - waived_amount));
}

test('a dispute that is won leaves the shop with what it had kept without one, whatever was canceled meanwhile', () => {
  const given = fc.record({
    lines,
    shipping: fc.nat(2_000),
    goodwill: fc.nat(50_000),
    before: cancels,
    during: cancels,
    /** Of what is left, in hundredths. */
    part: fc.oneof(fc.constant(100), fc.integer({ min: 1, max: 100 })),
    isWhole: fc.boolean(),
    isInTens: fc.boolean(),
  });
  let settled = 0;
  fc.assert(
    fc.property(given, ({ lines: bought, shipping, goodwill, before, during, part, isWhole, isInTens }) => {
      const all = order(
        bought.map(([quantity, total]) => [quantity, total * 10]),
        shipping * 10,
        'captured',
      );
      const paid = isInTens ? inTens(all) : all;
      const amount = Math.min(goodwill * 10, paymentOf(paid).captured);
      const thanked = amount === 0 ? paid : refunded(paid, planRefund(paid, { shippingAmount: 0, amount, items: [] }));
      const state = before.reduce(cancelLine, thanked);
      const { captured, refunded: back } = paymentOf(state);
      const finish = (from: OrderState) => {
        const less = during.reduce(cancelLine, from);
        return isWhole ? cancelRest(less) : less;
      };
      const disputed = finish(withDispute(state, Math.ceil(((captured - back) * part) / 100)));
      const undisputed = finish(state);
      expect(staying(withDispute(disputed, 0))).toBe(staying(undisputed));
      expect(paymentOf(disputed).waived_amount).toBeLessThanOrEqual(paymentOf(disputed).amount);
      if (staying(undisputed) < captured - back) settled += 1;
    }),
    { numRuns: 3_000 },
  );
  expect(settled).toBeGreaterThan(500);
});
