import { isWaiting, type FulfillmentStatus, type Method } from '../../fulfillment/index.ts';
import type { Demand } from '../../inventory/index.ts';
import type { ProviderName } from '../../payments/index.ts';
import type { FulfillmentProgress, OrderStatus } from './status.ts';

/** A line after it was placed. Amounts in minor units. */
export interface ItemState {
  id: string;
  sku_id: string;
  quantity: number;
  /** Units that have left. */
  fulfilled_quantity: number;
  canceled_quantity: number;
  /** Canceled units whose money was never taken, or was with a bank, and how much of the line that is. */
  waived_quantity: number;
  waived_amount: number;
  /** Canceled units whose money the shop chose to keep, or to take still, and how much of the line that was. */
  withheld_quantity: number;
  withheld_amount: number;
  /** Units whose money went back or is on its way, and how much of the line that is. */
  refunded_quantity: number;
  refunded_amount: number;
  total: number;
  /** What one unit was made of when it was ordered; null for a SKU that has stock itself. */
  components: Demand[] | null;
}

export interface FulfillmentState {
  id: string;
  version: number;
  method: Method;
  status: FulfillmentStatus;
  location_id: string | null;
  items: { item_id: string; quantity: number }[];
}

/** What the ledger adds up to; open requests count as if they will succeed. */
export interface PaymentBalance {
  id: string;
  provider: ProviderName;
  amount: number;
  /** Of the amount, what is not due any more: neither to be taken nor, where a dispute is won, to be kept. */
  waived_amount: number;
  authorized: number;
  captured: number;
  refunded: number;
  charged_back: number;
  voided: boolean;
  open_capture: number;
  open_refund: number;
  open_void: boolean;
}

/** All that the verbs of an order decide by. */
export interface OrderState {
  id: string;
  number: string;
  version: number;
  status: OrderStatus;
  fulfillment_status: FulfillmentProgress;
  customer_id: string | null;
  currency: string;
  /** Shipping with its tax, and how much of it went back or is on its way. */
  shipping_amount: number;
  shipping_refunded: number;
  items: ItemState[];
  fulfillments: FulfillmentState[];
  payment: PaymentBalance | null;
  /** Rows in the ledger, which only grows: the same number is the same ledger. */
  ledger_size: number;
}

export interface Line {
  item_id: string;
  quantity: number;
}

/** Units of a line that wait in a fulfillment which has not left. */
function packedUnits({ fulfillments }: Pick<OrderState, 'fulfillments'>, itemId: string): number {
  return fulfillments
    .filter(({ status }) => isWaiting(status))
    .flatMap(({ items }) => items)
    .reduce((sum, item) => sum + (item.item_id === itemId ? item.quantity : 0), 0);
}

/** Units of a line that are in no fulfillment and not canceled. */
export function freeUnits(state: Pick<OrderState, 'fulfillments'>, item: ItemState): number {
  return item.quantity - item.canceled_quantity - item.fulfilled_quantity - packedUnits(state, item.id);
}

/** Stock that stands behind units of a line. */
export function stockOf({ sku_id, components }: ItemState, quantity: number): Demand[] {
  if (components === null) return [{ sku_id, quantity }];
  return components.map((component) => ({ sku_id: component.sku_id, quantity: component.quantity * quantity }));
}
