type Value = ArrayBuffer | string | number | null;
type Row = Record<string, Value>;

/** The part of a Durable Object's SqlStorage that is used, so that a class can be tried on any SQLite. */
export interface Sql {
  exec(query: string, ...bindings: Value[]): { toArray(): Row[] };
}
