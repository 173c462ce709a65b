import type { Finding } from './check.ts';
import { CHECKLIST, proofsOf, standingOf } from './checklist.ts';

type State = ReturnType<typeof standingOf>;

const MARKS: Record<State, string> = { pass: 'pass', fail: 'FAIL', skipped: '-', tested: 'test' };
const COLORS: Record<State, string> = { pass: '32', fail: '31;1', skipped: '2', tested: '36' };
const WIDTH_MAX = 56;

interface Row {
  state: State;
  cells: readonly string[];
}

function wrap(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > WIDTH_MAX) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/** Lines of columns, the long ones wrapped. */
function table(header: readonly string[], rows: readonly Row[], isColored: boolean): string {
  const wrapped = rows.map(({ state, cells }) => ({ state, cells: [[MARKS[state]], ...cells.map(wrap)] }));
  const widths = ['', ...header].map((title, column) =>
    Math.max(title.length, 4, ...wrapped.flatMap(({ cells }) => cells[column]?.map((line) => line.length) ?? [])),
  );
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const lines = wrapped.flatMap(({ state, cells }) => {
    const height = Math.max(...cells.map((cell) => cell.length));
    const all = Array.from({ length: height }, (_, line) => lineOf(cells.map((cell) => cell[line] ?? '')));
    return isColored ? all.map((line) => `\u001B[${COLORS[state]}m${line}\u001B[0m`) : all;
  });
  return [lineOf(['', ...header]), ...lines].join('\n');
}

/** A line per finding: what, how it is, what was seen, what to do. */
function findingsTable(findings: readonly Finding[], isColored: boolean): string {
  const rows = findings.map(({ result, title, seen, remedy }) => ({ state: result, cells: [title, seen, remedy] }));
  return table(['check', 'seen', 'remedy'], rows, isColored);
}

/** The production checklist as far as these findings tell. */
function checklistTable(findings: readonly Finding[], isColored: boolean): string {
  const rows = CHECKLIST.map((line) => ({
    state: standingOf(line, findings),
    cells: [line.item, [...line.checks, ...proofsOf(line)].join(', ')],
  }));
  return table(['production checklist', 'by'], rows, isColored);
}

/** All there is to say, for people. */
export function report(findings: readonly Finding[], isColored: boolean): string {
  const count = (result: Finding['result']) => findings.filter((finding) => finding.result === result).length;
  const summary = `${count('pass')} passed, ${count('fail')} failed, ${count('skipped')} skipped`;
  return [findingsTable(findings, isColored), checklistTable(findings, isColored), summary].join('\n\n');
}
