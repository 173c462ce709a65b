import { paymentState } from '../../payments/index.ts';
import type { OrderRow } from '../queries/orders.ts';
import type { Order } from '../schema.ts';

/** The contract's order; payment states are computed from the ledger. */
export function toOrder(row: OrderRow): Order {
  const { cart_id: _cart, customer_id: _customer, lease_live: _lease, payments, ...rest } = row;
  const { canceled_at: _canceled, cancel_reason: _reason, ...frozen } = rest;
  const shown = payments.map(({ ledger, waived_amount, ...payment }) => ({
    ...payment,
    ...paymentState(ledger, payment.next_action !== null, payment.amount - waived_amount),
  }));
  return { ...frozen, payment_status: shown.at(-1)?.status ?? 'pending', payments: shown };
}
