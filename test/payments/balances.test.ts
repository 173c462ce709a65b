import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { paymentState, type TransactionRow } from '../../src/domains/payments/rules.ts';
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

const LEDGERS = 500;

/** Of one verb: opened, and perhaps it has come to something. */
const verb = fc.record({
  kind: fc.constantFrom('capture' as const, 'void' as const, 'refund' as const),
  amount: fc.integer({ min: 0, max: 1_000 }),
  result: fc.constantFrom('success' as const, 'failure' as const, null),
});
/** What a provider tells by itself, under a name of its own. */
const told = fc.record({
  kind: fc.constantFrom('authorize' as const, 'capture' as const, 'refund' as const, 'chargeback' as const),
  outcome: fc.constantFrom('success' as const, 'failure' as const),
  amount: fc.integer({ min: 0, max: 1_000 }),
  event_reference: fc.constantFrom('one', 'two', 'three'),
});
const history = fc.record({
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
  const entry = { payment_id, request_id: null, event_reference: null, leased: false };
  const asked = verbs.flatMap(({ kind, amount, result }): Row[] => {
    const request: Row = { ...entry, id: randomUUID(), kind, outcome: 'request', amount, leased: true };
    if (result === null) return [request];
    return [request, { ...entry, id: randomUUID(), kind, outcome: result, amount, request_id: request.id }];
  });
  return [...asked, ...news.map((row) => ({ ...entry, ...row, id: randomUUID() }))];
}

async function store(ledgers: readonly Row[][]): Promise<void> {
  const rows = JSON.stringify(ledgers.flat());
  await stack.owner.query(
    `insert into payments (id, order_id, provider, capture, currency, amount)
     select id, $2::uuid, 'test', 'manual', 'USD', 1000 from unnest($1::uuid[]) as id`,
    [ledgers.map((ledger) => ledger[0]?.payment_id), orderId],
  );
  await stack.owner.query(
    `insert into payment_transactions (id, payment_id, kind, outcome, amount, request_id, event_reference)
     select id, payment_id, kind, outcome, amount, request_id, event_reference
     from jsonb_to_recordset($1::jsonb) as r(id uuid, payment_id uuid, kind text, outcome text, amount bigint,
       request_id uuid, event_reference text)`,
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

test(`the view that amounts are checked against says the same of ${LEDGERS} ledgers as the state that is shown`, async () => {
  const histories = fc.sample(history, { numRuns: LEDGERS, seed: walkSeed('balances') });
  const ledgers = histories
    .filter(({ verbs, told: news }) => verbs.length + news.length > 0)
    .map((each) => ledgerOf(each, randomUUID()));
  await store(ledgers);
  const { rows } = await stack.owner.query(
    `select payment_id, captured::int, refunded::int, charged_back::int, voided, open_capture::int, open_refund::int, open_void
     from payment_balances where payment_id = any($1::uuid[])`,
    [ledgers.map((ledger) => ledger[0]?.payment_id)],
  );
  const balances = new Map(rows.map(({ payment_id, ...balance }) => [payment_id, balance]));
  expect(balances.size).toBe(ledgers.length);
  for (const ledger of ledgers) {
    const { captured_amount, refunded_amount, charged_back_amount } = paymentState(ledger, false, 1_000);
    expect(balances.get(ledger[0]?.payment_id), JSON.stringify(ledger)).toEqual({
      captured: captured_amount,
      refunded: refunded_amount,
      charged_back: charged_back_amount,
      voided: ledger.some(({ kind, outcome }) => kind === 'void' && outcome === 'success'),
      open_capture: total(openOf(ledger, 'capture')),
      open_refund: total(openOf(ledger, 'refund')),
      open_void: openOf(ledger, 'void').length > 0,
    });
  }
});
