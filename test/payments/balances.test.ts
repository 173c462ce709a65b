import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { legalMoves } from '../../src/domains/payments/queries/requests.ts';
import {
  PAYMENT_MOVES,
  paymentState,
  type PaymentMove,
  type PaymentState,
  type TransactionRow,
} from '../../src/domains/payments/rules.ts';
import { compile, sql } from '../../src/platform/db/sql.ts';
import { walkSeed } from '../model/seed.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { AUTHORIZED, placePaid } from './fixture.ts';

let stack: Stack;
let orderId: string;
beforeAll(async () => {
  stack = await startStack();
  ({ orderId } = await placePaid(stack, AUTHORIZED));
});
afterAll(() => stack.close());

const LEDGERS = 1_000;
const AMOUNT = 1_000;
const NAMES = ['one', 'two', 'three'] as const;

/** Of one verb: opened, and perhaps it has come to something. */
const verb = fc.record({
  kind: fc.constantFrom('capture' as const, 'void' as const, 'refund' as const),
  amount: fc.integer({ min: 0, max: 1_000 }),
  result: fc.constantFrom('success' as const, 'failure' as const, null),
  /** The provider's own id of what came of it. */
  provider_reference: fc.constantFrom(...NAMES, null),
});
/** What a provider tells by itself, under a name of its own. */
const told = fc.record({
  kind: fc.constantFrom('authorize' as const, 'capture' as const, 'refund' as const, 'chargeback' as const),
  outcome: fc.constantFrom('success' as const, 'failure' as const),
  amount: fc.integer({ min: 0, max: 1_000 }),
  event_reference: fc.constantFrom(...NAMES),
});
const history = fc.record({
  provider: fc.constantFrom('test' as const, 'test' as const, 'manual' as const),
  waived: fc.constantFrom(0, 0, 400, AMOUNT),
  waits: fc.boolean(),
  verbs: fc.array(verb, { maxLength: 5 }),
  told: fc.uniqueArray(told, {
    maxLength: 6,
    selector: ({ kind, outcome, event_reference }) => `${kind} ${outcome} ${event_reference}`,
  }),
});

type History = typeof history extends fc.Arbitrary<infer Value> ? Value : never;

interface Row extends TransactionRow {
  id: string;
  payment_id: string;
  /** A request of a verb, which is looked after until it has a result. */
  leased: boolean;
}

function ledgerOf({ verbs, told: news }: History, payment_id: string): Row[] {
  const entry = { payment_id, request_id: null, provider_reference: null, event_reference: null, leased: false };
  const asked = verbs.flatMap(({ kind, amount, result, provider_reference }): Row[] => {
    const request: Row = { ...entry, id: randomUUID(), kind, outcome: 'request', amount, leased: true };
    if (result === null) return [request];
    const told = { id: randomUUID(), outcome: result, request_id: request.id, provider_reference };
    return [request, { ...entry, kind, amount, ...told }];
  });
  return [...asked, ...news.map((row) => ({ ...entry, ...row, id: randomUUID() }))];
}

interface Payment extends History {
  id: string;
  ledger: Row[];
}

async function store(payments: readonly Payment[]): Promise<void> {
  const rows = JSON.stringify(payments.flatMap(({ ledger }) => ledger));
  await stack.owner.query(
    `insert into payments (id, order_id, provider, capture, currency, amount, waived_amount, next_action)
     select id, $2::uuid, provider, 'manual', 'USD', $3, waived, case when waits then '{}'::jsonb end
     from jsonb_to_recordset($1::jsonb) as r(id uuid, provider text, waived bigint, waits boolean)`,
    [JSON.stringify(payments), orderId, AMOUNT],
  );
  await stack.owner.query(
    `insert into payment_transactions
       (id, payment_id, kind, outcome, amount, request_id, provider_reference, event_reference)
     select id, payment_id, kind, outcome, amount, request_id, provider_reference, event_reference
     from jsonb_to_recordset($1::jsonb) as r(id uuid, payment_id uuid, kind text, outcome text, amount bigint,
       request_id uuid, provider_reference text, event_reference text)`,
    [rows],
  );
  await stack.owner.query(
    `insert into payment_request_leases (request_id)
     select id from jsonb_to_recordset($1::jsonb) as r(id uuid, leased boolean) where leased`,
    [rows],
  );
}

/** What verbs have asked for and nobody has answered yet. */
function openOf(ledger: readonly Row[], kind: Row['kind']): Row[] {
  const answered = new Set(ledger.map(({ request_id }) => request_id));
  return ledger.filter((row) => row.leased && row.kind === kind && !answered.has(row.id));
}

const total = (rows: readonly Row[]) => rows.reduce((sum, { amount }) => sum + amount, 0);

/** What the view has to say of a payment. */
function balanceOf({ ledger, waits, waived }: Payment) {
  const { status, ...state } = paymentState(ledger, waits, AMOUNT - waived);
  const done = (kind: Row['kind']) => ledger.filter((row) => row.kind === kind && row.outcome === 'success');
  return {
    status,
    authorized: total(done('authorize')),
    captured: state.captured_amount,
    refunded: state.refunded_amount,
    charged_back: state.charged_back_amount,
    voided: done('void').length > 0,
    open_capture: total(openOf(ledger, 'capture')),
    open_refund: total(openOf(ledger, 'refund')),
    open_void: openOf(ledger, 'void').length > 0,
  } satisfies Record<string, unknown> & { status: PaymentState['status'] };
}

/** The moves of the table for which the payment has money that nobody asks for yet. */
function movesOf(payment: Payment): PaymentMove[] {
  const balance = balanceOf(payment);
  const isManual = payment.provider === 'manual';
  const taken = balance.captured + balance.open_capture;
  const due = AMOUNT - payment.waived;
  const canEnd = !balance.voided && !balance.open_void;
  const left: Record<PaymentMove, number> = {
    capture: isManual ? due - taken : taken === 0 ? Math.min(balance.authorized, due) : 0,
    void: taken === 0 ? Math.max(balance.authorized, isManual ? AMOUNT : 0) : 0,
    refund: balance.captured - balance.refunded - balance.charged_back - balance.open_refund,
  };
  return PAYMENT_MOVES[isManual ? 'manual' : 'provider'][balance.status].filter(
    (move) => left[move] > 0 && (move === 'refund' || canEnd),
  );
}

test(`of ${LEDGERS} ledgers the view says the same as the state that is shown, and SQL allows the moves of the table`, async () => {
  const payments = fc
    .sample(history, { numRuns: LEDGERS, seed: walkSeed('balances') })
    .map((each) => ({ ...each, id: randomUUID() }))
    .map((each) => ({ ...each, ledger: ledgerOf(each, each.id) }));
  await store(payments);
  const { text, values } = compile(sql`
    select b.payment_id, b.status, b.authorized::int, b.captured::int, b.refunded::int, b.charged_back::int, b.voided,
      b.open_capture::int, b.open_refund::int, b.open_void, ${legalMoves} as moves
    from payment_balances b join payments p on p.id = b.payment_id
    where p.id = any(${payments.map(({ id }) => id)}::uuid[])`);
  const { rows } = await stack.owner.query(text, [...values]);
  const found = new Map(rows.map(({ payment_id, ...row }) => [payment_id, row]));
  expect(found.size).toBe(payments.length);
  const met = new Set<string>();
  for (const payment of payments) {
    const moves = movesOf(payment);
    expect(found.get(payment.id), JSON.stringify(payment)).toEqual({ ...balanceOf(payment), moves });
    for (const move of moves) met.add(`${payment.provider} ${move}`);
  }
  const all = ['test', 'manual'].flatMap((provider) =>
    ['capture', 'void', 'refund'].map((move) => `${provider} ${move}`),
  );
  expect([...met].toSorted()).toEqual(all.toSorted());
});
