export interface Statement {
  /** In lower case, one space between words, without comments; what stands in quotes of text is emptied. */
  text: string;
  /** Of its first word, from 1. */
  line: number;
  /** Comments before and in it, without their dashes. */
  notes: string[];
  /** What stands between dollar quotes, as it is. */
  bodies: string[];
}

/** One part of SQL after the other; a quote that never ends is a part of one character. */
const PART =
  /--(?<note>[^\n]*)|\/\*(?<block>[\s\S]*?)\*\/|\$(?<tag>[a-z_]\w*)?\$(?<body>[\s\S]*?)\$\k<tag>\$|\be'(?:[^'\\]|\\.|'')*'|(?<text>'(?:[^']|'')*')|"(?:[^"]|"")*"|[a-z_0-9]+|\s+|./giy;

/** Splits what psql would run into its statements. Block comments do not nest here. */
export function statementsOf(sql: string): Statement[] {
  const statements: Statement[] = [];
  let current: Statement = { text: '', line: 0, notes: [], bodies: [] };
  for (const { 0: part, index, groups = {} } of sql.matchAll(PART)) {
    if (part === ';') {
      if (current.text.trim() !== '') statements.push({ ...current, text: current.text.trim() });
      current = { text: '', line: 0, notes: [], bodies: [] };
    } else if (groups['note'] !== undefined || groups['block'] !== undefined) {
      current.notes.push((groups['note'] ?? groups['block'] ?? '').trim());
    } else {
      if (part.trim() !== '' && current.line === 0) current.line = lineOf(sql, index);
      if (groups['body'] !== undefined) current.bodies.push(groups['body']);
      current.text += wordOf(part, groups);
    }
  }
  if (current.text.trim() !== '') statements.push({ ...current, text: current.text.trim() });
  return statements;
}

function wordOf(part: string, groups: Record<string, string | undefined>): string {
  if (part.trim() === '') return ' ';
  if (groups['body'] !== undefined) return '$$';
  if (/^(e?')/i.test(part)) return "''";
  return part.startsWith('"') ? part : part.toLowerCase();
}

function lineOf(sql: string, index: number): number {
  return sql.slice(0, index).split('\n').length;
}

/** The parts of a list between commas that are in no parentheses. */
export function splitList(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts.push((parts.pop() ?? '') + character);
  }
  return parts.map((part) => part.trim());
}
