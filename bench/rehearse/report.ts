import { table } from '../table.ts';
import type { Check, Outcome, Scenario } from './scenario.ts';

/** A rehearsal that ran, or the fault that ended it. */
export interface Result {
  scenario: Pick<Scenario, 'name' | 'what'>;
  seconds: number;
  outcome: Outcome | null;
  fault: string | null;
}

export function hasPassed({ outcome }: Result): boolean {
  return outcome !== null && outcome.checks.every(({ holds }) => holds);
}

/** What was expected of one rehearsal and what was seen. */
export function describe(result: Result): string {
  const { scenario, seconds, outcome, fault } = result;
  const head = `${scenario.name} (${seconds.toFixed(0)} s): ${scenario.what}`;
  if (outcome === null) return `${head}\n  failed: ${fault}`;
  const rows = outcome.checks.map(({ expected, seen, holds }: Check) => [expected, holds ? 'ok' : 'FAILED', seen]);
  const lines = leftTable(['expected', '', 'seen'], rows);
  return [head, ...lines.map((line) => `  ${line}`)].join('\n');
}

/** One line for each. */
export function summary(results: readonly Result[]): string {
  const header = ['rehearsal', 'requests', 'failures', 'p50 ms', 'p95 ms', 'orders', 'stock left', 'seconds', 'result'];
  const rows = results.map((result) => {
    const { outcome, seconds, scenario } = result;
    const figures =
      outcome === null
        ? ['-', '-', '-', '-', '-', '-']
        : [
            outcome.traffic.requests,
            outcome.traffic.failures,
            outcome.traffic.p50Ms.toFixed(1),
            outcome.traffic.p95Ms.toFixed(1),
            outcome.orders ?? '-',
            outcome.stockLeft ?? '-',
          ];
    return [scenario.name, ...figures, seconds.toFixed(0), hasPassed(result) ? 'passed' : 'FAILED'];
  });
  return table(header, rows);
}

function leftTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => (row[column] ?? '').length)));
  return [header, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
