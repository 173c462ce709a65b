/** What is used of a Durable Object's SQLite (SqlStorage), so that its users can also be read without workerd's types. */
export interface RowStorage {
  exec(query: string, ...bindings: (string | number | ArrayBuffer | null)[]): { toArray(): Record<string, unknown>[] };
}
