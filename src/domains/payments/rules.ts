export interface TransactionRow {
  kind: 'authorize' | 'capture' | 'void' | 'refund' | 'chargeback';
  outcome: 'request' | 'pending' | 'success' | 'failure';
  amount: number;
}

export type PaymentStatus =
  | 'pending'
  | 'requires_action'
  | 'authorized'
  | 'captured'
  | 'partially_refunded'
  | 'refunded'
  | 'voided'
  | 'failed';

export interface PaymentState {
  status: PaymentStatus;
  captured_amount: number;
  refunded_amount: number;
}

/** A payment's state is what its ledger adds up to; nothing else stores it. */
export function paymentState(ledger: readonly TransactionRow[], waitsForBuyer: boolean): PaymentState {
  const summed = (kind: TransactionRow['kind']) =>
    ledger.reduce((sum, row) => (row.kind === kind && row.outcome === 'success' ? sum + row.amount : sum), 0);
  const succeeded = (kind: TransactionRow['kind']) =>
    ledger.some((row) => row.kind === kind && row.outcome === 'success');
  const captured_amount = summed('capture');
  const refunded_amount = summed('refund');

  const statusOf = (): PaymentStatus => {
    if (refunded_amount > 0) return refunded_amount < captured_amount ? 'partially_refunded' : 'refunded';
    if (succeeded('capture')) return 'captured';
    if (succeeded('void')) return 'voided';
    if (succeeded('authorize')) return 'authorized';
    if (ledger.some((row) => row.outcome === 'failure')) return 'failed';
    return waitsForBuyer ? 'requires_action' : 'pending';
  };
  return { status: statusOf(), captured_amount, refunded_amount };
}
