import * as z from 'zod';
import { currencyCode, listOf, money, timestamp, uuid } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';
import { PAYMENT_STATUSES } from './rules.ts';

const Transaction = z.object({
  id: z.string(),
  kind: z.enum(['authorize', 'capture', 'void', 'refund', 'chargeback']),
  outcome: z.enum(['request', 'pending', 'success', 'failure']),
  amount: money,
  request_id: z.string().nullable(),
  provider_reference: z.string().nullable(),
  event_reference: z.string().nullable(),
  reason: z.string().nullable(),
  created_at: timestamp,
});

/** A payment as staff see it: what its ledger adds up to, and the ledger. Amounts in minor units. */
export const PaymentDetail = z
  .object({
    id: z.string(),
    order_id: z.string(),
    provider: z.enum(['test', 'manual', 'stripe']),
    capture: z.enum(['automatic', 'manual']),
    currency: currencyCode,
    amount: money,
    /** Of the amount, what is not to be taken any more since it was for units that were canceled. */
    waived_amount: money,
    status: z.enum(PAYMENT_STATUSES),
    captured_amount: money,
    refunded_amount: money,
    charged_back_amount: money,
    /** Whether something that was asked for has no answer yet. */
    in_doubt: z.boolean(),
    provider_reference: z.string().nullable(),
    created_at: timestamp,
    transactions: z.array(Transaction),
  })
  .meta({ id: 'PaymentDetail' });
export type PaymentDetail = z.output<typeof PaymentDetail>;
export const PaymentList = listOf(PaymentDetail).meta({ id: 'PaymentList' });

export const PaymentQuery = z.strictObject({
  ...pageQuery,
  order_id: uuid.optional(),
  in_doubt: z.enum(['true']).optional(),
});
export type PaymentQuery = z.output<typeof PaymentQuery>;

const AMOUNT_MAX = 1e12;
const amount = z.int().min(1).max(AMOUNT_MAX);
/** A closed list: what is written freely may hold a person's data. */
export const RefundReason = z.enum([
  'requested_by_customer',
  'returned',
  'damaged',
  'duplicate',
  'fraudulent',
  'other',
]);
/** Without an amount: all that is left. */
export const CaptureInput = z.strictObject({ amount: amount.optional() });
/** `force` ends a payment that its order waits for although the provider does not know it, or cannot be asked. */
export const VoidInput = z.strictObject({ force: z.boolean().default(false) });
export const RefundInput = z.strictObject({
  amount: amount.optional(),
  reason: RefundReason.default('requested_by_customer'),
});
