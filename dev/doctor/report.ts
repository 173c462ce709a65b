import type { Finding } from './check.ts';

const MARKS = { pass: 'pass', fail: 'FAIL', skipped: '-' } as const;
const COLORS = { pass: '32', fail: '31;1', skipped: '2' } as const;

const paint = (text: string, color: string, isColored: boolean) =>
  isColored ? `\u001b[${color}m${text}\u001b[0m` : text;

/** A line per finding: what, how it is, what was seen, what to do. */
export function findingsTable(findings: readonly Finding[], isColored: boolean): string {
  const header = ['', 'check', 'seen', 'remedy'];
  const rows = findings.map((finding) => ({
    color: COLORS[finding.result],
    cells: [MARKS[finding.result], finding.title, finding.seen, finding.remedy],
  }));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map(({ cells }) => cells[column]?.length ?? 0)),
  );
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [lineOf(header), ...rows.map(({ cells, color }) => paint(lineOf(cells), color, isColored))].join('\n');
}

/** How many of each. */
export function summary(findings: readonly Finding[]): string {
  const count = (result: Finding['result']) => findings.filter((finding) => finding.result === result).length;
  return `${count('pass')} passed, ${count('fail')} failed, ${count('skipped')} skipped`;
}
