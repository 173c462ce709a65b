import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planCancel } from '../../../src/domains/orders/rules/cancel.ts';
import { planRefund } from '../../../src/domains/orders/rules/refund.ts';
import { canceled, inTens, order, refunded } from './shop.ts';

const AMOUNT_MAX = 10_000_000;
const lineOf = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: AMOUNT_MAX }));
const chunks = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 20, maxLength: 20 });
const wish = { shippingAmount: 0, amount: 0 };

describe('a refund by line', () => {
  test('comes to exactly the line, however its units are taken apart', () => {
    fc.assert(
      fc.property(lineOf, chunks, ([quantity, total], sizes) => {
        fc.pre(total >= quantity);
        let state = order([[quantity, total]], 0, 'captured');
        for (const size of sizes) {
          const left = quantity - (state.items[0]?.refunded_quantity ?? 0);
          if (left === 0) break;
          const items = [{ item_id: 'line-0', quantity: Math.min(size, left) }];
          state = refunded(state, planRefund(state, { ...wish, items }));
        }
        expect(state.items[0]).toMatchObject({ refunded_quantity: quantity, refunded_amount: total });
        expect(state.payment?.refunded).toBe(total);
      }),
    );
  });

  test('of one unit is never more than one minor unit off its exact share', () => {
    fc.assert(
      fc.property(lineOf, ([quantity, total]) => {
        fc.pre(total >= quantity);
        const state = order([[quantity, total]], 0, 'captured');
        const { amount } = planRefund(state, { ...wish, items: [{ item_id: 'line-0', quantity: 1 }] });
        expect(Math.abs(amount - total / quantity)).toBeLessThan(1);
      }),
    );
  });

  test('never exceeds the line, also when some of its refunds are refused by the provider later', () => {
    fc.assert(
      fc.property(
        lineOf,
        fc.array(fc.tuple(fc.integer({ min: 1, max: 7 }), fc.boolean())),
        ([quantity, total], tries) => {
          let state = order([[quantity, total]], 0, 'captured');
          const made: { quantity: number; amount: number }[] = [];
          for (const [size, isRefused] of tries) {
            const [line] = state.items;
            const left = quantity - (line?.refunded_quantity ?? 0);
            const items = [{ item_id: 'line-0', quantity: Math.min(size, left) }];
            if (left === 0) break;
            let plan;
            try {
              plan = planRefund(state, { ...wish, items });
            } catch {
              break;
            }
            state = refunded(state, plan);
            made.push({ quantity: items[0]?.quantity ?? 0, amount: plan.amount });
            const first = isRefused ? made.shift() : undefined;
            if (first) {
              const back = { amount: -first.amount, shippingAmount: 0 };
              state = refunded(state, {
                ...back,
                items: [{ order_item_id: 'line-0', quantity: -first.quantity, amount: -first.amount }],
              });
            }
            expect(state.items[0]?.refunded_amount).toBeLessThanOrEqual(total);
            expect(state.items[0]?.refunded_amount).toBeGreaterThanOrEqual(0);
          }
        },
      ),
    );
  });

  test('of more units than are left names the line and what is left', () => {
    const state = order([[3, 300]], 0, 'captured');
    const items = [
      { item_id: 'line-0', quantity: 2 },
      { item_id: 'line-0', quantity: 2 },
    ];
    expect(() => planRefund(state, { ...wish, items })).toThrow(
      expect.objectContaining({
        code: 'validation_failed',
        options: expect.objectContaining({
          param: 'items[0].quantity',
          errors: [expect.objectContaining({ requested: 4, left: 3 })],
        }),
      }),
    );
  });
});

describe('a cancellation', () => {
  test('of all units, in whatever steps, gives back all that was paid, with shipping', () => {
    const lines = fc.array(lineOf, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(lines, fc.integer({ min: 0, max: 5000 }), chunks, (lines, shipping, sizes) => {
        let state = order(lines, shipping, 'captured');
        for (const size of sizes) {
          const open = state.items.find((each) => each.canceled_quantity < each.quantity);
          if (!open || state.status !== 'confirmed') break;
          const quantity = Math.min(size, open.quantity - open.canceled_quantity);
          const items = [{ item_id: open.id, quantity }];
          state = canceled(state, planCancel(state, { items, refund: true, byBuyer: false }));
        }
        if (state.status === 'confirmed') state = canceled(state, planCancel(state, { refund: true, byBuyer: false }));
        expect(state).toMatchObject({ status: 'canceled', fulfillment_status: 'canceled' });
        expect(state.payment?.refunded).toBe(state.payment?.captured);
      }),
    );
  });

  test('before money was taken gives nothing back: it is not taken any more', () => {
    const state = order(
      [
        [2, 201],
        [1, 50],
      ],
      100,
      'authorized',
    );
    const items = [{ item_id: 'line-0', quantity: 1 }];
    const { money } = planCancel(state, { items, refund: true, byBuyer: false });
    expect(money).toEqual({
      waivedAmount: 100,
      waived: [{ item_id: 'line-0', quantity: 1, amount: 100 }],
      withheld: [],
      refund: null,
      isVoid: false,
    });
    const whole = planCancel(state, { refund: true, byBuyer: false });
    expect(whole.money).toMatchObject({ refund: null, isVoid: true, waivedAmount: 351 });
  });

  test('after a goodwill refund gives back what is left, and not more', () => {
    const paid = order([[2, 2000]], 500, 'captured');
    const state = refunded(paid, planRefund(paid, { shippingAmount: 0, amount: 300 }));
    const { refund } = planCancel(state, { refund: true, byBuyer: false }).money;
    expect(refund).toEqual({
      amount: 2200,
      shippingAmount: 200,
      items: [{ order_item_id: 'line-0', quantity: 2, amount: 2000 }],
    });
  });

  test('can leave the money alone', () => {
    const { money } = planCancel(order([[1, 100]], 0, 'captured'), { refund: false, byBuyer: false });
    const withheld = [{ item_id: 'line-0', quantity: 1, amount: 100 }];
    expect(money).toEqual({ waivedAmount: 0, waived: [], withheld, refund: null, isVoid: false });
  });

  test('never gives back what an earlier one withheld, however the lines were taken apart', () => {
    const lines = fc.array(lineOf, { minLength: 1, maxLength: 4 });
    const paid = fc.constantFrom('captured' as const, 'authorized' as const, 'by_hand' as const);
    const steps = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 7 }), fc.boolean()), { maxLength: 12 });
    fc.assert(
      fc.property(lines, fc.nat(5000), paid, steps, (of, shipping, how, taken) => {
        let state = order(of, shipping, how);
        let withheld = 0;
        for (const [pick, size, refund] of taken) {
          const open = state.items[pick % state.items.length];
          const left = open ? open.quantity - open.canceled_quantity : 0;
          if (!open || left === 0 || state.status !== 'confirmed') continue;
          const items = [{ item_id: open.id, quantity: Math.min(size, left) }];
          const plan = planCancel(state, { items, refund, byBuyer: false });
          withheld += plan.money.withheld.reduce((sum, { amount }) => sum + amount, 0);
          state = canceled(state, plan);
        }
        fc.pre(state.status === 'confirmed' && state.payment !== null);
        state = canceled(state, planCancel(state, { refund: true, byBuyer: true }));
        const { captured = 0, refunded: back = 0, amount = 0, waived_amount = 0, voided } = state.payment ?? {};
        expect(how === 'captured' ? captured - back : amount - waived_amount).toBe(withheld);
        expect(voided).toBe(how !== 'captured' && withheld === 0 && amount > 0);
      }),
    );
  });

  test.each([
    ['of its lines gives it back', { items: [{ item_id: 'line-0', quantity: 2 }] }, 60, 40],
    ['of an amount leaves it withheld', { amount: 15 }, 15, 25],
  ])('withholds money: a refund %s', (_name, given, amount, rest) => {
    const paid = order(
      [
        [2, 60],
        [1, 40],
      ],
      0,
      'captured',
    );
    const items = [{ item_id: 'line-0', quantity: 2 }];
    const kept = canceled(paid, planCancel(paid, { items, refund: false, byBuyer: false }));
    const plan = planRefund(kept, { ...wish, ...given });
    expect(plan.amount).toBe(amount);
    const { money } = planCancel(refunded(kept, plan), { refund: true, byBuyer: false });
    expect(money.refund).toMatchObject({ amount: rest });
  });
});

describe('money that Stripe moves in whole tens only', () => {
  const anyLines = fc.array(lineOf, { minLength: 1, maxLength: 4 });
  const paid = fc.constantFrom('captured' as const, 'authorized' as const);
  const steps = fc.array(
    fc.record({
      pick: fc.nat(3),
      size: fc.integer({ min: 1, max: 7 }),
      how: fc.constantFrom('cancel', 'keep', 'refund'),
    }),
    { maxLength: 12 },
  );
  const endsInTens = (lines: [number, number][]) => (10 - (lines.reduce((sum, [, total]) => sum + total, 0) % 10)) % 10;

  test('goes in tens with every step of a cancellation and of a refund, and comes to all of it in the end', () => {
    fc.assert(
      fc.property(anyLines, paid, steps, (lines, how, taken) => {
        let state = inTens(order(lines, endsInTens(lines), how));
        let withheld = 0;
        for (const step of taken) {
          const open = state.items[step.pick % state.items.length];
          const left = open ? open.quantity - open.canceled_quantity : 0;
          if (!open || left === 0 || state.status !== 'confirmed') continue;
          const items = [{ item_id: open.id, quantity: Math.min(step.size, left) }];
          if (step.how === 'refund') {
            if (how === 'captured') state = refundedIfAny(state, items);
          } else {
            const plan = planCancel(state, { items, refund: step.how === 'cancel', byBuyer: false });
            expect((plan.money.refund?.amount ?? 0) % 10).toBe(0);
            expect(plan.money.waivedAmount % 10).toBe(0);
            withheld += plan.money.withheld.reduce((sum, { amount }) => sum + amount, 0);
            state = canceled(state, plan);
          }
        }
        fc.pre(state.status === 'confirmed');
        state = canceled(state, planCancel(state, { refund: true, byBuyer: false }));
        const { captured = 0, refunded: back = 0, amount = 0, waived_amount = 0 } = state.payment ?? {};
        const kept = how === 'captured' ? captured - back : amount - waived_amount;
        expect(kept % 10).toBe(0);
        expect(kept).toBeLessThanOrEqual(withheld);
        for (const item of state.items) {
          expect(item.refunded_amount + item.waived_amount).toBeLessThanOrEqual(item.total);
        }
      }),
    );
  });

  /** Units whose money is settled already are no refund at all. */
  function refundedIfAny(state: ReturnType<typeof order>, items: { item_id: string; quantity: number }[]) {
    let plan;
    try {
      plan = planRefund(state, { ...wish, items });
    } catch {
      return state;
    }
    expect(plan.amount % 10).toBe(0);
    return refunded(state, plan);
  }

  test('is exact where the sum of the lines and of shipping is', () => {
    const state = inTens(order([[1, 1005]], 505, 'captured'));
    const items = [{ item_id: 'line-0', quantity: 1 }];
    expect(planRefund(state, { shippingAmount: 505, amount: 0, items }).amount).toBe(1510);
    expect(planRefund(state, { shippingAmount: 0, amount: 0, items }).amount).toBe(1000);
  });
});
