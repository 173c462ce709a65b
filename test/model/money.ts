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
}

export const UNITS = 3;

const due = ({ total, waived, captured }: Money): number => Math.max(0, total - waived - captured);
export const refundable = ({ captured, refunded }: Money): number => captured - refunded;

/** The next units of the line, to the minor unit: the last one takes the remainder. */
export function worth({ line, settledUnits, settledAmount }: Money, units: number): number {
  return Math.max(0, Math.floor((line * (settledUnits + units)) / UNITS) - settledAmount);
}

function settled<Of extends Money>(money: Of, units: number, amount: number): Of {
  return { ...money, settledUnits: money.settledUnits + units, settledAmount: money.settledAmount + amount };
}

/** Nothing is held for what is not to be paid. */
function letGo<Of extends Money>(money: Of): Of {
  const isVoid = money.isVoid || (money.authorized > 0 && money.captured === 0 && due(money) === 0);
  return { ...money, isVoid };
}

/** The order is over: nothing more is taken, and all goes back. */
export function undoAll<Of extends Money>(money: Of): Of {
  const [waived, back] = [due(money), refundable(money)];
  const left = UNITS - money.settledUnits;
  const part = Math.min(worth(money, left), back);
  const after = part > 0 ? settled(money, left, part) : money;
  return letGo({ ...after, waived: money.waived + waived, refunded: money.refunded + back });
}

/** Canceled units: what was not taken yet is not taken, the rest goes back as far as there is any. */
export function undoUnits<Of extends Money>(money: Of, units: number): Of {
  const count = Math.min(units, UNITS - money.settledUnits);
  if (count === 0) return letGo(money);
  const share = worth(money, count);
  const waived = Math.min(share, due(money));
  const back = Math.min(share - waived, refundable(money));
  const after = settled(money, waived === share || back > 0 ? count : 0, waived + back);
  return letGo({ ...after, waived: money.waived + waived, refunded: money.refunded + back });
}

/** By line; null where fewer units are left, they were free, or less was paid. */
export function refundUnits<Of extends Money>(money: Of, units: number): Of | null {
  const amount = worth(money, units);
  if (units > UNITS - money.settledUnits || amount === 0 || amount > refundable(money)) return null;
  return settled({ ...money, refunded: money.refunded + amount }, units, amount);
}
