import type { Traffic } from './client.ts';
import type { Stage } from './stage.ts';

/** Of observability/rules/slo.yml. */
export const OBJECTIVE_MS = 300;

/** One thing that had to be so, and what it was. */
export interface Check {
  expected: string;
  seen: string;
  holds: boolean;
}

/** What a rehearsal showed. Latencies are those of the phase that the scenario is about, in milliseconds. */
export interface Outcome {
  checks: Check[];
  traffic: Traffic;
  /** Orders that were confirmed, and units nobody bought; null where the scenario sells nothing. */
  orders: number | null;
  stockLeft: number | null;
}

export interface Scenario {
  name: string;
  /** What happens, in one line. */
  what: string;
  secondsMax: number;
  /** `progress` takes shares from 0 to 1. */
  run(stage: Stage, progress: (share: number) => void): Promise<Outcome>;
}

/** A check whose text of what was seen is the value itself. */
export function check(expected: string, seen: string | number, holds: boolean): Check {
  return { expected, seen: String(seen), holds };
}

/** A check of how much or how fast: where the machine is busy with other work it is told and not judged. */
export function unlessBusy({ busyWith }: Pick<Stage, 'busyWith'>, { expected, seen, holds }: Check): Check {
  if (holds || busyWith === null) return { expected, seen, holds };
  return { expected, seen: `${seen}, not judged: ${busyWith}`, holds: true };
}

/** Such a check of milliseconds. */
export function timely(stage: Pick<Stage, 'busyWith'>, expected: string, ms: number, msMax: number): Check {
  return unlessBusy(stage, check(expected, `${ms.toFixed(0)} ms`, ms <= msMax));
}

/** The SLO's 95th percentile, or more on a machine that is slow with nothing going on: `calmMs` is what it was then. */
export function patienceMs(calmMs: number, times = 2): number {
  return Math.max(OBJECTIVE_MS, times * calmMs);
}

/** The check of everything that has to be nothing: the first three faults are named. */
export function none(expected: string, faults: readonly string[]): Check {
  const more = faults.length > 3 ? ` and ${faults.length - 3} more` : '';
  return {
    expected,
    seen: faults.length === 0 ? 'none' : faults.slice(0, 3).join('; ') + more,
    holds: faults.length === 0,
  };
}
