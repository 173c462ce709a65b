import fc from 'fast-check';
import { expect, test } from 'vitest';
import { paymentState, type TransactionRow } from '../../src/domains/payments/rules.ts';
import { walkSeed } from './seed.ts';

const WALKS = 10_000;
const AMOUNT = 1_000;

/** What happens at a provider, told by amounts that it takes care of itself. */
type Step =
  | { do: 'authorize' | 'decline' | 'take' | 'void' | 'dispute' | 'win' }
  | { do: 'capture' | 'refund'; amount: number; succeeds: boolean };

const amount = fc.integer({ min: 1, max: AMOUNT });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('authorize', 'decline', 'take', 'void', 'dispute', 'win') }),
  fc.record({ do: fc.constantFrom('capture', 'refund'), amount, succeeds: fc.boolean() }),
);

/** The model: money in one of four places, and whether anything was refused. */
interface Money {
  held: number;
  taken: number;
  back: number;
  disputed: number;
  wasTaken: boolean;
  isVoid: boolean;
  isRefused: boolean;
}

const NOTHING: Money = {
  held: 0,
  taken: 0,
  back: 0,
  disputed: 0,
  wasTaken: false,
  isVoid: false,
  isRefused: false,
};

interface World {
  money: Money;
  ledger: TransactionRow[];
}

type Row = [kind: TransactionRow['kind'], outcome: TransactionRow['outcome'], amount: number, reference?: string];

/** What is written of a step; nothing where the step has no place. */
function rowsOf({ money, ledger }: World, step: Step): Row[] {
  const isNew = money.held === 0 && !money.wasTaken && !money.isVoid && !money.isRefused;
  const dispute = `dispute-${ledger.filter(({ kind }) => kind === 'chargeback').length}`;
  const open = ledger.findLast(({ kind, outcome }) => kind === 'chargeback' && outcome === 'success');
  switch (step.do) {
    case 'authorize':
      return isNew ? [['authorize', 'success', AMOUNT]] : [];
    case 'decline':
      return isNew ? [['authorize', 'failure', AMOUNT]] : [];
    case 'take':
      return isNew ? [['capture', 'success', AMOUNT]] : [];
    case 'void':
      return money.held > 0 ? [['void', 'success', AMOUNT]] : [];
    case 'dispute':
      return money.taken > 0 && money.disputed === 0 ? [['chargeback', 'success', money.taken, dispute]] : [];
    case 'win':
      return money.disputed > 0 ? [['chargeback', 'failure', money.disputed, open?.event_reference ?? '']] : [];
    case 'capture':
      return money.held >= step.amount ? [['capture', step.succeeds ? 'success' : 'failure', step.amount]] : [];
    case 'refund':
      return money.taken - money.disputed >= step.amount
        ? [['refund', step.succeeds ? 'success' : 'failure', step.amount]]
        : [];
  }
}

function moneyAfter(money: Money, [kind, outcome, amount]: Row, isVerb: boolean): Money {
  const name = `${kind} ${outcome}`;
  if (name === 'authorize success') return { ...money, held: amount };
  if (name === 'authorize failure') return { ...money, isRefused: true };
  if (name === 'capture success') return { ...money, held: 0, taken: amount, wasTaken: true };
  if (name === 'void success') return { ...money, held: 0, isVoid: true };
  if (name === 'refund success') return { ...money, taken: money.taken - amount, back: money.back + amount };
  if (name === 'chargeback success') return { ...money, disputed: amount };
  if (name === 'chargeback failure') return { ...money, disputed: 0 };
  return isVerb ? money : { ...money, isRefused: true };
}

function statusOf({ held, taken, back, disputed, wasTaken, isVoid, isRefused }: Money): string {
  if (disputed > 0) return 'charged_back';
  if (back > 0) return taken === 0 ? 'refunded' : 'partially_refunded';
  if (wasTaken) return taken === AMOUNT ? 'captured' : 'partially_captured';
  if (isVoid) return 'voided';
  if (held > 0) return 'authorized';
  return isRefused ? 'failed' : 'pending';
}

function walk(world: World, step: Step): World {
  const isVerb = ['capture', 'refund', 'void'].includes(step.do);
  return rowsOf(world, step).reduce<World>(({ money, ledger }, row) => {
    const [kind, outcome, amount, reference] = row;
    const request_id = isVerb ? `request-${ledger.length}` : null;
    const entry = { kind, outcome, amount, request_id, event_reference: reference ?? null };
    return { money: moneyAfter(money, row, isVerb), ledger: [...ledger, entry] };
  }, world);
}

test(`${WALKS} walks: a payment is what its ledger adds up to, in any order in which that is told`, () => {
  const property = fc.property(fc.array(step, { maxLength: 12 }), fc.nat(), (steps, turn) => {
    let world: World = { money: NOTHING, ledger: [] };
    for (const each of steps) {
      world = walk(world, each);
      const { money, ledger } = world;
      const told = [...ledger.slice(turn % (ledger.length + 1)), ...ledger.slice(0, turn % (ledger.length + 1))];
      for (const rows of [ledger, told, ledger.toReversed()]) {
        expect(paymentState(rows, false, AMOUNT)).toEqual({
          status: statusOf(money),
          captured_amount: money.taken + money.back,
          refunded_amount: money.back,
          charged_back_amount: money.disputed,
        });
      }
    }
  });
  fc.assert(property, { numRuns: WALKS, seed: walkSeed('payments') });
});
