/** A statement with its row type: text with $1..$n and the values beside it, never mixed. */
export interface Sql<Row = unknown> {
  readonly parts: readonly string[];
  readonly values: readonly unknown[];
  /** Only for the compiler: what a row of the result looks like. */
  readonly row?: Row;
}

const SQL = Symbol('sql');

function isSql(value: unknown): value is Sql {
  return typeof value === 'object' && value !== null && SQL in value;
}

/** Values become parameters; another `sql` fragment is spliced in, so optional filters need no string building. */
export function sql<Row = unknown>(strings: TemplateStringsArray, ...inputs: unknown[]): Sql<Row> {
  const parts: string[] = [strings[0] ?? ''];
  const values: unknown[] = [];
  const appendText = (text: string) => {
    parts[parts.length - 1] += text;
  };
  for (const [index, input] of inputs.entries()) {
    if (isSql(input)) {
      for (const [inner, value] of input.values.entries()) {
        appendText(input.parts[inner] ?? '');
        values.push(value);
        parts.push('');
      }
      appendText(input.parts.at(-1) ?? '');
    } else {
      values.push(input);
      parts.push('');
    }
    appendText(strings[index + 1] ?? '');
  }
  const statement: Sql<Row> & Record<symbol, boolean> = { parts, values, [SQL]: true };
  return statement;
}

export const nothing = sql``;

/** As Postgres wants it: `select $1::int`. */
export function compile(statement: Sql): { text: string; values: unknown[] } {
  const text = statement.parts.reduce((sum, part, index) => `${sum}$${index}${part}`);
  return { text: text.trim(), values: [...statement.values] };
}

/** JSON for one jsonb parameter; sets of rows travel this way and come apart with jsonb_to_recordset. */
export function json(value: unknown): string {
  return JSON.stringify(value);
}

/** A time within JSON, written as the rest of the contract writes times (RFC 3339, UTC, milliseconds); null stays null. */
export function jsonTime(column: Sql): Sql {
  return sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
