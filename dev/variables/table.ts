import type { Variable } from './variables.ts';

const BEGIN = '<!-- variables -->';
const END = '<!-- /variables -->';

function valueOf(variable: Variable): string {
  if (variable.isRequired) return '**required**';
  return variable.default === null || variable.default === '' ? '' : `\`${variable.default}\``;
}

function tableOf(variables: readonly Variable[]): string {
  const rows = variables.map((variable) => [
    `\`${variable.name}\``,
    valueOf(variable),
    `${variable.isSecret ? 'secret, ' : ''}${variable.range}`,
    variable.about,
  ]);
  const cells = [['variable', 'default', 'range', 'what it is'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const lineOf = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [header = [], ...body] = cells;
  return [lineOf(header), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body.map(lineOf)].join(
    '\n',
  );
}

/** What stands between README's markers. */
function section(variables: readonly Variable[]): string {
  const worker = variables.filter(({ readBy }) => readBy.includes('worker'));
  const host = variables.filter(({ readBy }) => !readBy.includes('worker'));
  return [
    BEGIN,
    'Of the Worker (and, with these names, of everything self-hosted):',
    tableOf(worker),
    'Of the processes and scripts beside it:',
    tableOf(host),
    END,
  ].join('\n\n');
}

/** The text with its tables written anew; throws when it has no place for them. */
export function withTables(readme: string, variables: readonly Variable[]): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from === -1 || to < from) throw new Error(`README.md needs ${BEGIN} and ${END}`);
  return readme.slice(0, from) + section(variables) + readme.slice(to + END.length);
}
