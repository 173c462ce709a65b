/** Of one order with one line: what it cost, and what became of it. Amounts in minor units. */
export interface Money {
  total: number;
  /** Of the total, what its one line is. */
  line: number;
  authorized: number;
  captured: number;
  refunded: number;
  /** Not to be taken any more. */
  waived: number;
  isVoid: boolean;
  /** Units of the line whose money was given back or is not taken, and how much of the line that was. */
  settledUnits: number;
  settledAmount: number;
  /** Units that were canceled without their money, and how much of the line that was. */
  keptUnits: number;
  keptAmount: number;
}

export const UNITS = 3;

const due = ({ total, waived, captured }: Money): number => Math.max(0, total - waived - captured);
export const refundable = ({ captured, refunded }: Money): number => captured - refunded;

/** What is still kept: it goes back by name only, after all other units of the line. */
function kept({ line, settledUnits, settledAmount, keptUnits, keptAmount }: Money): { units: number; amount: number } {
  const units = Math.min(keptUnits, UNITS - settledUnits);
  return { units, amount: units === 0 ? 0 : Math.min(keptAmount, line - settledAmount) };
}

const freeOfMoney = (money: Money): number => UNITS - money.settledUnits - kept(money).units;
const releasable = (money: Money): number => Math.max(0, due(money) + refundable(money) - kept(money).amount);

/** The next units of the line, to the minor unit: the last one takes the remainder. */
export function worth(money: Money, units: number): number {
  const { line, settledUnits, settledAmount } = money;
  const past = units > freeOfMoney(money) ? { units: 0, amount: 0 } : kept(money);
  const until = Math.floor((line * (settledUnits + past.units + units)) / UNITS);
  return Math.max(0, until - settledAmount - past.amount);
}

function settled<Of extends Money>(money: Of, units: number, amount: number): Of {
  return { ...money, settledUnits: money.settledUnits + units, settledAmount: money.settledAmount + amount };
}

/** Nothing is held for what is not to be paid. */
function letGo<Of extends Money>(money: Of): Of {
  const isVoid = money.isVoid || (money.authorized > 0 && money.captured === 0 && due(money) === 0);
  return { ...money, isVoid };
}

/** The order is over: nothing more is taken, and all goes back but what is kept. */
export function undoAll<Of extends Money>(money: Of): Of {
  const waived = Math.min(due(money), releasable(money));
  const back = releasable(money) - waived;
  const left = freeOfMoney(money);
  const part = Math.min(worth(money, left), back);
  const after = part > 0 ? settled(money, left, part) : money;
  return letGo({ ...after, waived: money.waived + waived, refunded: money.refunded + back });
}

/** Canceled units: what was not taken yet is not taken, the rest goes back as far as there is any. */
export function undoUnits<Of extends Money>(money: Of, units: number): Of {
  const count = Math.min(units, freeOfMoney(money));
  if (count === 0) return letGo(money);
  const share = worth(money, count);
  const released = Math.min(share, releasable(money));
  const waived = Math.min(released, due(money));
  const back = released - waived;
  const after = settled(money, waived === share || back > 0 ? count : 0, waived + back);
  return letGo({ ...after, waived: money.waived + waived, refunded: money.refunded + back });
}

/** Canceled units whose money stays. */
export function keepUnits<Of extends Money>(money: Of, units: number): Of {
  const count = Math.min(units, freeOfMoney(money));
  if (count === 0) return money;
  const keptAmount = money.keptAmount + worth(money, count);
  return { ...money, keptUnits: money.keptUnits + count, keptAmount };
}

/** By line; null where fewer units are left, they were free, or less was paid. */
export function refundUnits<Of extends Money>(money: Of, units: number): Of | null {
  const amount = worth(money, units);
  if (units > UNITS - money.settledUnits || amount === 0 || amount > refundable(money)) return null;
  return settled({ ...money, refunded: money.refunded + amount }, units, amount);
}
