export interface TransactionRow {
  kind: 'authorize' | 'capture' | 'void' | 'refund' | 'chargeback';
  outcome: 'request' | 'pending' | 'success' | 'failure';
  amount: number;
  /** The request that a result belongs to; what the provider tells by itself has none. */
  request_id?: string | null;
  /** The provider's own id of what came of a request. */
  provider_reference?: string | null;
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

export type PaymentMove = 'capture' | 'void' | 'refund';
type Moves = Readonly<Record<PaymentStatus, readonly PaymentMove[]>>;

const REFUND_ONLY = {
  captured: ['refund'],
  charged_back: ['refund'],
  voided: [],
  failed: [],
  requires_action: [],
} as const;

/**
 * What can be asked of a payment in each state, as long as it has money for it that nobody else asks for. An authorization
 * is captured once, and what is left of it lapses; money by hand is noted as often as some of it comes.
 */
export const PAYMENT_MOVES: Readonly<Record<'provider' | 'manual', Moves>> = {
  provider: {
    ...REFUND_ONLY,
    pending: [],
    authorized: ['capture', 'void'],
    partially_captured: ['refund'],
    partially_refunded: ['refund'],
    refunded: [],
  },
  manual: {
    ...REFUND_ONLY,
    pending: ['capture', 'void'],
    authorized: ['capture', 'void'],
    partially_captured: ['capture', 'refund'],
    partially_refunded: ['capture', 'refund'],
    refunded: ['capture'],
  },
};

/** Sums in minor units. */
export interface PaymentState {
  status: PaymentStatus;
  captured_amount: number;
  refunded_amount: number;
  charged_back_amount: number;
}

/** A dispute that was won, or a refund that failed after all, is told under the id under which it had come about. */
function isStanding(row: TransactionRow, ledger: readonly TransactionRow[]): boolean {
  const name = row.event_reference ?? row.provider_reference ?? null;
  const undoes = ({ kind, outcome, request_id = null, event_reference = null }: TransactionRow) =>
    kind === row.kind && outcome === 'failure' && request_id === null && event_reference === name;
  return name === null || !ledger.some(undoes);
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
  const standing = (kind: TransactionRow['kind']) => done(kind).filter((row) => isStanding(row, ledger));
  const refunded_amount = sum(standing('refund'));
  const charged_back_amount = sum(standing('chargeback'));

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
