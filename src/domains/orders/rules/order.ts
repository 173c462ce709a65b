import { paymentState } from '../payments/index.ts';
import type { OrderRow } from './queries.ts';
import type { Order } from './schema.ts';

/** The contract's order; payment states are computed from the ledger. */
export function toOrder(row: OrderRow): Order {
  const { cart_id: _cart, customer_id: _customer, lease_live: _lease, payments, ...frozen } = row;
  const shown = payments.map(({ ledger, ...payment }) => ({
    ...payment,
    ...paymentState(ledger, payment.next_action !== null, payment.amount),
  }));
  return { ...frozen, payment_status: shown.at(-1)?.status ?? 'pending', payments: shown, shipments: [] };
}
