import * as z from 'zod';
import { currencyCode, email, listOf, money, text, timestamp } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';
import { Address } from '../customers/index.ts';
import { Shipment } from '../fulfillment/index.ts';
import { PAYMENT_STATUSES } from '../payments/index.ts';
import { PricedItem, Promotion, Totals } from '../cart/index.ts';
import { FULFILLMENT_PROGRESS, ORDER_STATUSES } from './rules/status.ts';

const OrderItem = PricedItem.extend({
  /** Units that have left, and units that never will. */
  fulfilled_quantity: z.int(),
  canceled_quantity: z.int(),
  /** Some of it had yet to come when it was ordered, and when it was expected then. */
  backorder: z.boolean(),
  expected_at: timestamp.nullable(),
}).meta({ id: 'OrderItem' });

const PaymentStatus = z.enum(PAYMENT_STATUSES);

const Payment = z
  .object({
    id: z.string(),
    provider: z.enum(['test', 'manual', 'stripe']),
    status: PaymentStatus,
    amount: money,
    captured_amount: money,
    refunded_amount: money,
    charged_back_amount: money,
    next_action: z.object({ type: z.literal('redirect_to_url'), url: z.string() }).nullable(),
  })
  .meta({ id: 'Payment' });

export const Order = z
  .object({
    id: z.string(),
    number: z.string(),
    version: z.int(),
    status: z.enum(ORDER_STATUSES),
    payment_status: PaymentStatus,
    fulfillment_status: z.enum(FULFILLMENT_PROGRESS),
    currency: currencyCode,
    tax_inclusive: z.boolean(),
    email: z.string(),
    items: z.array(OrderItem),
    shipping_address: Address,
    billing_address: Address,
    shipping_option_name: z.string(),
    discount_codes: z.array(z.string()),
    promotions: z.array(Promotion),
    note: z.string().nullable(),
    ...Totals.shape,
    payments: z.array(Payment),
    shipments: z.array(Shipment),
    /** What staff wrote for the buyer to read. */
    notes: z.array(z.object({ id: z.string(), body: z.string(), created_at: timestamp })),
    created_at: timestamp,
    placed_at: timestamp.nullable(),
    /** Only on a guest's order: send it back as X-Order-Token to read the order. */
    guest_token: z.string().optional(),
  })
  .meta({ id: 'Order' });
export type Order = z.output<typeof Order>;

export const OrderList = listOf(Order).meta({ id: 'OrderList' });
export const OrderQuery = z.strictObject(pageQuery);

export const CancelOrder = z.strictObject({});
/** What a guest knows who has lost the way back to the order: its number, and the e-mail address it was placed with. */
export const OrderLookup = z.strictObject({ number: text(40), email });
