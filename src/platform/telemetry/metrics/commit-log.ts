type Row = { body: string };

/** Commits between two snapshots: what a restart has to replay at most. */
const SNAPSHOT_EVERY = 200;

/** A row per commit and, now and then, one snapshot instead of them all; in the object's SQLite. */
export class CommitLog {
  readonly #sql: SqlStorage;
  #commits = 0;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec('create table if not exists commits (id integer primary key, body text not null)');
    sql.exec('create table if not exists snapshots (id integer primary key check (id = 1), body text not null)');
  }

  /** The last snapshot, as JSON, and the commits since, oldest first. */
  load(): { snapshot: string | null; commits: string[] } {
    const [snapshot] = this.#sql.exec<Row>('select body from snapshots').toArray();
    const commits = this.#sql.exec<Row>('select body from commits order by id').toArray();
    this.#commits = commits.length;
    return { snapshot: snapshot?.body ?? null, commits: commits.map(({ body }) => body) };
  }

  /** Answers whether a snapshot is due. */
  append(body: string): boolean {
    this.#sql.exec('insert into commits (body) values (?)', body);
    this.#commits += 1;
    return this.#commits >= SNAPSHOT_EVERY;
  }

  replaceBySnapshot(body: string): void {
    this.#sql.exec('insert or replace into snapshots (id, body) values (1, ?)', body);
    this.#sql.exec('delete from commits');
    this.#commits = 0;
  }
}
