import { splitList, type Statement } from './sql-statements.ts';

const NAME = String.raw`(?:"(?:[^"]|"")+"|[a-z_][\w$]*)`;
const QUALIFIED = String.raw`(?:${NAME} ?\. ?)?(${NAME})`;
const CREATED = new RegExp(
  String.raw`^create (?:unique |temp |temporary |unlogged |materialized |recursive |constraint )*` +
    String.raw`(?:table|view|function|procedure|type|domain|sequence|index|trigger|schema)(?: concurrently)?(?: if not exists)? ${QUALIFIED}`,
);
const ALTER_TABLE = new RegExp(String.raw`^alter table (?:if exists )?(?:only )?${QUALIFIED} \*? ?(.*)$`);
const UNIQUE_INDEX = new RegExp(
  String.raw`^create unique index (?:concurrently )?(?:if not exists )?(?:${NAME} )?on (?:only )?${QUALIFIED}`,
);
const DROPPED = new RegExp(
  String.raw`^drop (table|view|materialized view|function|procedure|type|domain|schema|sequence|trigger|extension|policy)(?: if exists)? ${QUALIFIED}`,
);
const WRITE_TRIGGER = new RegExp(
  String.raw`^create (?:constraint )?trigger ${NAME} (?:before|after|instead of) .*?\b(?:insert|update|delete)\b.*? on ${QUALIFIED}`,
);
const DROPPED_INDEX = new RegExp(String.raw`^drop index (?:concurrently )?(?:if exists )?${QUALIFIED}`);
/** Of a body whose statements may be put together as it runs: its text is all there is to go by. */
const SUSPECT = /\b(drop|rename|truncate|revoke|set\s+not\s+null)\b/i;

export interface Break {
  /** The part of the statement that does it. */
  part: string;
  /** Why a version that runs on the schema as it was may fail after it. */
  why: string;
}

/** What the files until now made, by name. */
export interface Known {
  /** Made by the same file: the running version knows nothing of them. */
  created: ReadonlySet<string>;
  /** Functions that the same file makes and that may take something away when they are called. */
  suspects: ReadonlySet<string>;
  /** `insert ... on conflict (column)` needs these. */
  uniqueIndexes: ReadonlySet<string>;
}

/** The name that the statement makes, or null. */
export function createdName({ text }: Statement): string | null {
  const name = CREATED.exec(text)?.[1];
  return name === undefined ? null : plain(name);
}

/** The name of the function that the statement makes, if calling it may take something away; or null. */
export function suspectName(statement: Statement): string | null {
  const isFunction = /^create (function|procedure) /.test(statement.text);
  return isFunction && suspectWord(statement) !== null ? createdName(statement) : null;
}

/** The name of the unique index that the statement makes, or null. */
export function uniqueIndexName(statement: Statement): string | null {
  return statement.text.startsWith('create unique index') ? createdName(statement) : null;
}

/** What the statement takes from a version that runs on the schema as it was; empty when that will not notice. */
export function breaks(statement: Statement, known: Known): Break[] {
  if (statement.text.startsWith('alter table')) return tableBreaks(statement.text, known);
  const why = statementBreaks(statement, known);
  return why === null ? [] : [{ part: statement.text, why }];
}

function statementBreaks(statement: Statement, { created, suspects, uniqueIndexes }: Known): string | null {
  const { text } = statement;
  const isOld = (name: string | undefined): name is string => name !== undefined && !created.has(plain(name));
  const [, kind, dropped] = DROPPED.exec(text) ?? [];
  if (isOld(dropped)) return `the ${kind} ${dropped} may be in use`;
  const index = DROPPED_INDEX.exec(text)?.[1];
  if (index !== undefined && uniqueIndexes.has(plain(index))) return `"on conflict" may need the unique index ${index}`;
  const indexed = UNIQUE_INDEX.exec(text)?.[1];
  if (isOld(indexed)) return `writes to ${indexed} may be refused`;
  const watched = WRITE_TRIGGER.exec(text)?.[1];
  if (isOld(watched)) return `writes to ${watched} may be refused or changed`;
  if (text.startsWith('truncate')) return 'rows in use are deleted';
  if (/^alter (?!table).* rename /.test(text)) return 'the old name may be in use';
  if (/^alter type .* drop /.test(text)) return 'the attribute may be in use';
  if (text.startsWith('revoke') && onClause(text).every(isOld)) return 'a right may be in use';
  const word = /^do[ $]/.test(text) ? suspectWord(statement) : null;
  if (word !== null) return `the block may ${word} what is in use`;
  const called = /^(select|call|with) /.test(text) && [...suspects].find((name) => text.includes(`${name}(`));
  return called ? `${called}() may take away what is in use` : null;
}

function suspectWord({ bodies }: Statement): string | null {
  const word = bodies.map((body) => SUSPECT.exec(body)?.[1]).find((found) => found !== undefined);
  return word?.toLowerCase().replaceAll(/\s+/g, ' ') ?? null;
}

function onClause(text: string): string[] {
  return (/ on (.*) from /.exec(text)?.[1] ?? '').split(/[\s,.()]+/).map(plain);
}

function tableBreaks(text: string, { created }: Known): Break[] {
  const [, table = '', actions = ''] = ALTER_TABLE.exec(text) ?? [];
  if (created.has(plain(table))) return [];
  const list = splitList(actions);
  return list.flatMap((action) => {
    const why = actionBreaks(action, table, list);
    return why === null ? [] : [{ part: `alter table ${table} ${action}`, why }];
  });
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
