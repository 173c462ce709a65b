import type { CancelPlan } from '../../../src/domains/orders/rules/cancel.ts';
import type { FulfillmentPlan } from '../../../src/domains/orders/rules/fulfill.ts';
import type { RefundPlan } from '../../../src/domains/orders/rules/money.ts';
import type {
  FulfillmentState,
  ItemState,
  OrderState,
  PaymentBalance,
} from '../../../src/domains/orders/rules/state.ts';

function item(id: string, quantity: number, total: number): ItemState {
  return {
    id,
    sku_id: `sku-${id}`,
    quantity,
    fulfilled_quantity: 0,
    canceled_quantity: 0,
    waived_quantity: 0,
    waived_amount: 0,
    withheld_quantity: 0,
    withheld_amount: 0,
    refunded_quantity: 0,
    refunded_amount: 0,
    total,
    components: null,
  };
}

export type Paid = 'captured' | 'authorized' | 'by_hand';

/** Through Stripe in a currency of which it takes whole tens only. */
export function inTens(state: OrderState): OrderState {
  return { ...state, currency: 'KWD', payment: state.payment && { ...state.payment, provider: 'stripe' } };
}

/** A confirmed order of lines `[quantity, total]`. */
export function order(lines: readonly (readonly [number, number])[], shipping: number, paid: Paid): OrderState {
  const amount = lines.reduce((sum, [, total]) => sum + total, shipping);
  const payment: PaymentBalance = {
    id: 'payment',
    provider: paid === 'by_hand' ? 'manual' : 'test',
    amount,
    waived_amount: 0,
    authorized: paid === 'authorized' ? amount : 0,
    captured: paid === 'captured' ? amount : 0,
    refunded: 0,
    charged_back: 0,
    voided: false,
    open_capture: 0,
    open_refund: 0,
    open_void: false,
  };
  return {
    id: 'order',
    number: '1',
    version: 1,
    status: 'confirmed',
    fulfillment_status: 'unfulfilled',
    customer_id: null,
    currency: 'USD',
    shipping_amount: shipping,
    shipping_refunded: 0,
    items: lines.map(([quantity, total], index) => item(`line-${index}`, quantity, total)),
    fulfillments: [],
    payment,
    ledger_size: 1,
  };
}

const quantityOf = (lines: readonly { item_id: string; quantity: number }[], id: string) =>
  lines.find((line) => line.item_id === id)?.quantity ?? 0;

/** What the statements of a refund write. */
export function refunded(state: OrderState, { amount, shippingAmount, items }: RefundPlan): OrderState {
  const { payment } = state;
  if (payment === null) throw new Error('no payment');
  return {
    ...state,
    shipping_refunded: state.shipping_refunded + shippingAmount,
    payment: { ...payment, refunded: payment.refunded + amount },
    items: state.items.map((each) => {
      const line = items.find(({ order_item_id }) => order_item_id === each.id);
      if (!line) return each;
      return {
        ...each,
        refunded_quantity: each.refunded_quantity + line.quantity,
        refunded_amount: each.refunded_amount + line.amount,
      };
    }),
  };
}

/** What the statements of a cancellation write. */
export function canceled(state: OrderState, plan: CancelPlan): OrderState {
  const { money } = plan;
  const after = money.refund ? refunded(state, money.refund) : state;
  const { payment } = after;
  return {
    ...after,
    ...plan.next,
    payment: payment && {
      ...payment,
      waived_amount: payment.waived_amount + money.waivedAmount,
      voided: payment.voided || money.isVoid,
    },
    items: after.items.map((each) => {
      const waived = money.waived.find(({ item_id }) => item_id === each.id);
      const withheld = money.withheld.find(({ item_id }) => item_id === each.id);
      return {
        ...each,
        canceled_quantity: each.canceled_quantity + quantityOf(plan.lines, each.id),
        waived_quantity: each.waived_quantity + (waived?.quantity ?? 0),
        waived_amount: each.waived_amount + (waived?.amount ?? 0),
        withheld_quantity: each.withheld_quantity + (withheld?.quantity ?? 0),
        withheld_amount: each.withheld_amount + (withheld?.amount ?? 0),
      };
    }),
    fulfillments: after.fulfillments.map((each) =>
      plan.fulfillmentIds.includes(each.id) ? { ...each, status: 'canceled', version: each.version + 1 } : each,
    ),
  };
}

/** What the statements of a new or moved fulfillment write. */
export function fulfilled(state: OrderState, plan: FulfillmentPlan, changed: FulfillmentState): OrderState {
  return {
    ...state,
    ...plan.next,
    items: state.items.map((each) => ({
      ...each,
      fulfilled_quantity: each.fulfilled_quantity + quantityOf(plan.leaving.lines, each.id),
    })),
    fulfillments: [...state.fulfillments.filter(({ id }) => id !== changed.id), changed],
  };
}
