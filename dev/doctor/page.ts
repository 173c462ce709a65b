import { CHECKS } from './checks.ts';
import { CHECKLIST } from './checklist.ts';

const HEAD = `# Production checklist

Each line is looked at in a deployment by \`npm run doctor -- --env production --url https://...\`, proven for all of them by a
test or a rehearsal, or both. \`npm run variables\` writes this page from \`dev/doctor/checklist.ts\`; a test breaks each check to see it fail.
`;

/** observability/checklist.md: every line, what the doctor looks at, and which test proves it. */
export function checklistPage(): string {
  const titles = new Map(CHECKS.map(({ id, title }) => [id, title]));
  const rows = CHECKLIST.map(({ item, checks, tests, rehearsals = [] }) => [
    item,
    checks.map((id) => `\`${id}\`: ${titles.get(id) ?? ''}`).join('<br>'),
    [
      ...tests.map(({ file, name }) => `\`${file}\`: ${name.replace(/^%s: /, '')}`),
      ...rehearsals.map((name) => `\`npm run rehearse -- ${name}\``),
    ].join('<br>'),
  ]);
  const cells = [['line', 'the doctor looks at', 'the test or the rehearsal'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lineOf = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [header = [], ...body] = cells;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return `${[HEAD, lineOf(header), rule, ...body.map(lineOf)].join('\n')}\n`;
}
