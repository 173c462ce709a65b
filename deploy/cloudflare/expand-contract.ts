// A migration runs while the version before it still serves. What it takes away must have been out of use for one release:
// expand (add), release what uses the new, then contract (remove) in a later release. What a replaced function does
// differently no text shows: npm run test:previous is for that.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { breaks, createdName, suspectName, uniqueIndexName } from './breaking-statements.ts';
import { statementsOf, type Statement } from './sql-statements.ts';

/** In a contracting file: what it completes, and why nobody needs the old any more. */
const CONTRACT = /^contract of (\d{14}_\w+): (.+)$/i;
/** Before a statement that only looks dangerous. */
const SAFE = /^safe: .{10,}$/i;

export interface Fault {
  file: string;
  line: number;
  statement: string;
  why: string;
}

export interface Pending {
  /** Names without .sql, in their order. */
  pending: readonly string[];
  /** Names of all migrations that the running version was released with. */
  released: ReadonlySet<string>;
}

/** Every statement of the pending files that may break the running version. `read` gives a file's text by its name. */
export function expandContractFaults({ pending, released }: Pending, read: (name: string) => string): Fault[] {
  const uniqueIndexes = new Set([...released].flatMap((name) => namesOf(read(name), uniqueIndexName)));
  return pending.flatMap((name) => {
    const statements = statementsOf(read(name));
    const contract = contractOf(statements);
    if (contract !== null) return released.has(contract) ? [] : [unfinished(name, contract)];
    const created = new Set(namesOf(read(name), createdName));
    const suspects = new Set(namesOf(read(name), suspectName));
    return statements
      .filter(({ notes }) => !notes.some((note) => SAFE.test(note)))
      .flatMap((statement) =>
        breaks(statement, { created, suspects, uniqueIndexes }).map(({ part, why }) => ({
          file: `${name}.sql`,
          line: statement.line,
          statement: shortened(part),
          why,
        })),
      );
  });
}

/** Reads `<name>.sql` of the folder. */
export function readerOf(folder: string): (name: string) => string {
  return (name) => readFileSync(join(folder, `${name}.sql`), 'utf8');
}

/** What to do about faults, in the words of the file formats above. */
export const REMEDY =
  'Expand first: add the new beside the old, release, and take the old away in a later migration that says\n' +
  '"-- contract of <the expanding migration>: <why nobody needs the old>". A statement that only looks dangerous says\n' +
  '"-- safe: <why>" right before it; npm run test:previous is there to prove it.';

function contractOf(statements: readonly Statement[]): string | null {
  const notes = statements.flatMap((statement) => statement.notes);
  return notes.map((note) => CONTRACT.exec(note)?.[1]).find((name) => name !== undefined) ?? null;
}

function unfinished(name: string, contract: string): Fault {
  const why = `${contract} is not in the running release: deploy that first, then contract`;
  return { file: `${name}.sql`, line: 1, statement: `contract of ${contract}`, why };
}

function namesOf(sql: string, nameOf: (statement: Statement) => string | null): string[] {
  return statementsOf(sql).flatMap((statement) => nameOf(statement) ?? []);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
