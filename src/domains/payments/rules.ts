export interface TransactionRow {
  kind: 'authorize' | 'capture' | 'void' | 'refund' | 'chargeback';
  outcome: 'request' | 'pending' | 'success' | 'failure';
  amount: number;
  /** The request that a result belongs to; what the provider tells by itself has none. */
  request_id?: string | null;
  /** The provider's own id of what it told. */
  event_reference?: string | null;
}

export const PAYMENT_STATUSES = [
  'pending',
  'requires_action',
  'authorized',
  'partially_captured',
  'captured',
  'partially_refunded',
  'refunded',
  'charged_back',
  'voided',
  'failed',
] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

/** Sums in minor units. */
export interface PaymentState {
  status: PaymentStatus;
  captured_amount: number;
  refunded_amount: number;
  charged_back_amount: number;
}

/** A dispute that was won is told under the id under which it was opened. */
function isStanding(row: TransactionRow, ledger: readonly TransactionRow[]): boolean {
  const won = (other: TransactionRow) =>
    other.kind === 'chargeback' && other.outcome === 'failure' && other.event_reference === row.event_reference;
  return !ledger.some(won);
}

/** A verb that failed leaves the payment as it was, and so does a dispute that was won; only the payment itself can fail. */
function isRefused({ kind, outcome, request_id = null }: TransactionRow): boolean {
  return outcome === 'failure' && request_id === null && (kind === 'authorize' || kind === 'capture');
}

/** A payment's state is what its ledger adds up to, in whatever order it was told; nothing else stores it. */
export function paymentState(ledger: readonly TransactionRow[], waitsForBuyer: boolean, amount = 0): PaymentState {
  const done = (kind: TransactionRow['kind']) => ledger.filter((row) => row.kind === kind && row.outcome === 'success');
  const sum = (rows: readonly TransactionRow[]) => rows.reduce((total, row) => total + row.amount, 0);
  const captured_amount = sum(done('capture'));
  const refunded_amount = sum(done('refund'));
  const charged_back_amount = sum(done('chargeback').filter((row) => isStanding(row, ledger)));

  const statusOf = (): PaymentStatus => {
    if (charged_back_amount > 0) return 'charged_back';
    if (refunded_amount > 0) return refunded_amount < captured_amount ? 'partially_refunded' : 'refunded';
    if (done('capture').length > 0) return captured_amount < amount ? 'partially_captured' : 'captured';
    if (done('void').length > 0) return 'voided';
    if (done('authorize').length > 0) return 'authorized';
    if (ledger.some(isRefused)) return 'failed';
    return waitsForBuyer ? 'requires_action' : 'pending';
  };
  return { status: statusOf(), captured_amount, refunded_amount, charged_back_amount };
}
