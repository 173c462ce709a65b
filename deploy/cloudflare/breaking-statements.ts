import { splitList, type Statement } from './sql-statements.ts';

const NAME = String.raw`(?:"(?:[^"]|"")+"|[a-z_][\w$]*)`;
const QUALIFIED = String.raw`(?:${NAME} ?\. ?)?(${NAME})`;
const CREATED = new RegExp(
  String.raw`^create (?:or replace )?(?:unique |temp |temporary |unlogged |materialized |recursive |constraint )*` +
    String.raw`(?:table|view|function|procedure|type|domain|sequence|index|trigger|schema)(?: concurrently)?(?: if not exists)? ${QUALIFIED}`,
);
const ALTER_TABLE = new RegExp(String.raw`^alter table (?:if exists )?(?:only )?${QUALIFIED} \*? ?(.*)$`);
const UNIQUE_INDEX = new RegExp(
  String.raw`^create unique index (?:concurrently )?(?:if not exists )?(?:${NAME} )?on (?:only )?${QUALIFIED}`,
);
const DROPPED = new RegExp(
  String.raw`^drop (table|view|materialized view|function|procedure|type|domain|schema|sequence|trigger|extension|policy)(?: if exists)? ${QUALIFIED}`,
);
const DROPPED_INDEX = new RegExp(String.raw`^drop index (?:concurrently )?(?:if exists )?${QUALIFIED}`);
/** Of a block whose statements are put together as it runs: its text is all there is to go by. */
const SUSPECT = /\b(drop|rename|truncate|revoke|set\s+not\s+null)\b/i;

/** What the files until now made, by name. */
export interface Known {
  /** Made by the same file: the running version knows nothing of them. */
  created: ReadonlySet<string>;
  /** `insert ... on conflict (column)` needs these. */
  uniqueIndexes: ReadonlySet<string>;
}

/** The name that the statement makes, or null. */
export function createdName({ text }: Statement): string | null {
  const name = CREATED.exec(text)?.[1];
  return name === undefined ? null : plain(name);
}

/** The name of the unique index that the statement makes, or null. */
export function uniqueIndexName(statement: Statement): string | null {
  return statement.text.startsWith('create unique index') ? createdName(statement) : null;
}

/** Why a version that runs on the schema as it was may fail after this statement; empty when it may not. */
export function breaks({ text, bodies }: Statement, known: Known): string[] {
  if (text.startsWith('alter table')) return tableBreaks(text, known);
  if (text.startsWith('do ') || text.startsWith('do$')) {
    const word = bodies.map((body) => SUSPECT.exec(body)?.[1]).find((found) => found !== undefined);
    return word === undefined ? [] : [`the block may ${word.toLowerCase().replaceAll(/\s+/g, ' ')} what is in use`];
  }
  const [, kind = '', dropped = ''] = DROPPED.exec(text) ?? [];
  if (kind !== '' && !known.created.has(plain(dropped))) return [`the ${kind} ${dropped} may be in use`];
  const index = DROPPED_INDEX.exec(text)?.[1];
  if (index !== undefined && known.uniqueIndexes.has(plain(index)))
    return [`"on conflict" may need the unique index ${index}`];
  const indexed = UNIQUE_INDEX.exec(text)?.[1];
  if (indexed !== undefined && !known.created.has(plain(indexed))) return [`writes to ${indexed} may be refused`];
  if (text.startsWith('truncate')) return ['rows in use are deleted'];
  if (/^alter (?!table).* rename /.test(text)) return ['the old name may be in use'];
  if (/^alter type .* drop /.test(text)) return ['the attribute may be in use'];
  if (text.startsWith('revoke') && ![...known.created].some((name) => onClause(text).includes(name)))
    return ['a right may be in use'];
  return [];
}

function onClause(text: string): string[] {
  return (/ on (.*) from /.exec(text)?.[1] ?? '').split(/[\s,.()]+/).map(plain);
}

function tableBreaks(text: string, { created }: Known): string[] {
  const [, table = '', actions = ''] = ALTER_TABLE.exec(text) ?? [];
  if (created.has(plain(table))) return [];
  const list = splitList(actions);
  return list.flatMap((action) => actionBreaks(action, table, list) ?? []);
}

function actionBreaks(action: string, table: string, all: readonly string[]): string | null {
  const words = action.split(' ');
  if (words[0] === 'rename') return `the old name in ${table} may be in use`;
  if (action.startsWith('drop constraint'))
    return `"on conflict" and error messages may need the constraint of ${table}`;
  if (words[0] === 'drop') return `the column of ${table} may be in use`;
  if (action.startsWith('set schema ')) return `${table} may be in use where it is`;
  if (/^(enable|force) row level security/.test(action)) return `rows of ${table} may no longer be seen`;
  if (words[0] === 'add') return additionBreaks(action, table);
  return words[0] === 'alter' ? columnBreaks(action, table, all) : null;
}

function additionBreaks(action: string, table: string): string | null {
  const definition = action.replace(/^add (column )?(if not exists )?/, '');
  if (/^(constraint|check|unique|primary key|foreign key|exclude)\b/.test(definition))
    return `writes to ${table} may be refused`;
  const isFilled = /\b(default|generated|smallserial|serial|bigserial)\b/.test(definition);
  return /\bnot null\b|\bprimary key\b/.test(definition) && !isFilled
    ? `inserts into ${table} that leave the column out are refused`
    : null;
}

function columnBreaks(action: string, table: string, all: readonly string[]): string | null {
  const [, column = '', change = ''] = new RegExp(`^alter (?:column )?(${NAME}) (.*)$`).exec(action) ?? [];
  if (/^(set data )?type\b/.test(change)) return `${table}.${column} may be read and written as another type`;
  if (/^drop (default|identity|expression)/.test(change)) return `inserts into ${table} may leave ${column} out`;
  const hasDefault = all.some((other) => new RegExp(`^alter (?:column )?${column} set default`).test(other));
  if (change.startsWith('set not null') && !hasDefault) return `${table}.${column} may be left out or written as null`;
  return null;
}

function plain(name: string): string {
  return name.replaceAll('"', '');
}
