import * as z from 'zod';
import { email, listOf, moment, money, text, timestamp, uuid } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';
import { Fulfillment, LineInputs } from '../fulfillment/index.ts';
import { RefundReason } from '../payments/index.ts';
import { Order } from './schema.ts';
import { FULFILLMENT_PROGRESS, ORDER_STATUSES } from './rules/status.ts';

const AMOUNT_MAX = 1e12;
const amount = z.int().min(0).max(AMOUNT_MAX);

/** An order in the list of staff. */
export const AdminOrder = Order.omit({ guest_token: true, notes: true })
  .extend({
    customer_id: z.string().nullable(),
    canceled_at: timestamp.nullable(),
    cancel_reason: z.string().nullable(),
  })
  .meta({ id: 'AdminOrder' });
export type AdminOrder = z.output<typeof AdminOrder>;
export const AdminOrderList = listOf(AdminOrder).meta({ id: 'AdminOrderList' });

/** Amounts in minor units; what is beside lines and shipping is an amount of its own. */
export const Refund = z
  .object({
    id: z.string(),
    order_id: z.string(),
    payment_id: z.string(),
    /** In the payment's ledger. */
    request_id: z.string(),
    status: z.enum(['pending', 'succeeded', 'failed']),
    amount: money,
    shipping_amount: money,
    items: z.array(z.object({ item_id: z.string(), quantity: z.int(), amount: money })),
    reason: z.string(),
    /** Why the provider refused it. */
    failure_reason: z.string().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'Refund' });
export type Refund = z.output<typeof Refund>;

export const OrderNote = z
  .object({
    id: z.string(),
    author_id: z.string().nullable(),
    body: z.string(),
    visible_to_customer: z.boolean(),
    created_at: timestamp,
  })
  .meta({ id: 'OrderNote' });
export type OrderNote = z.output<typeof OrderNote>;

/** One order with all that hangs from it but its timeline. */
export const AdminOrderDetail = AdminOrder.extend({
  fulfillments: z.array(Fulfillment),
  refunds: z.array(Refund),
  notes: z.array(OrderNote),
}).meta({ id: 'AdminOrderDetail' });
export type AdminOrderDetail = z.output<typeof AdminOrderDetail>;

/** Ids, codes, quantities and amounts. */
const ChangeDetails = z.looseObject({
  /** Units that were canceled, what was in preparation and ended with them, and money not taken or kept. */
  items: z.array(z.object({ item_id: z.string(), quantity: z.int() })).optional(),
  fulfillment_ids: z.array(z.string()).optional(),
  waived_amount: money.optional(),
  withheld_amount: money.optional(),
});
export type ChangeDetails = z.output<typeof ChangeDetails>;

/** What happened: to the order, and in the ledger of its payments. */
const OrderChange = z
  .object({
    id: z.string(),
    type: z.string(),
    actor_kind: z.enum(['guest', 'customer', 'staff', 'key', 'system']),
    actor_id: z.string().nullable(),
    details: ChangeDetails,
    created_at: timestamp,
  })
  .meta({ id: 'OrderChange' });
export const OrderTimeline = listOf(OrderChange).meta({ id: 'OrderTimeline' });
export const TimelineQuery = z.strictObject(pageQuery);

export const AdminOrderQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(ORDER_STATUSES).optional(),
  fulfillment_status: z.enum(FULFILLMENT_PROGRESS).optional(),
  customer_id: uuid.optional(),
  number: z
    .string()
    .max(40)
    .regex(/^[\w-]+$/, 'must be the number of an order')
    .optional(),
  email: email.optional(),
  placed_after: moment.optional(),
  placed_before: moment.optional(),
});
export type AdminOrderQuery = z.output<typeof AdminOrderQuery>;

/** A closed list: what is written freely may hold a person's data. */
const CancelReason = z.enum(['requested_by_customer', 'out_of_stock', 'payment_missing', 'fraudulent', 'other']);

/**
 * Without items: the whole order. Units that were refunded by line before are others than these, as long as there are any.
 * Without `refund` the money of these units is withheld, also when the rest is canceled later; a refund that names all units
 * of their lines gives it back.
 */
export const CancelInput = z.strictObject({
  reason: CancelReason,
  items: LineInputs.optional(),
  restock: z.boolean().default(true),
  refund: z.boolean().default(true),
});

/**
 * Lines, shipping and a further amount add up; one of them has to be there. Units of a line whose money a cancellation
 * withheld are given back after its other units; an amount leaves that withheld.
 */
export const NewRefund = z.strictObject({
  items: LineInputs.optional(),
  shipping_amount: amount.default(0),
  amount: amount.default(0),
  reason: RefundReason.default('requested_by_customer'),
});

export const NewNote = z.strictObject({ body: text(2000), visible_to_customer: z.boolean().default(false) });
