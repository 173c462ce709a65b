import { migrationStatus } from '../../dev/migrate.ts';
import { commands } from './commands.ts';
import { expandContractFaults, readerOf, REMEDY } from './expand-contract.ts';
import { migrationsAt } from './release.ts';
import { textTable } from './report.ts';
import type { RunOptions, Shell } from './shell.ts';

export interface SchemaInput {
  databaseUrl: string;
  migrations: string;
  /** Git ref of what runs now; null: nothing does. */
  previous: string | null;
}

/**
 * Names of the pending migrations, which the running version was shown to live with: no statement takes away what it may
 * use, and its own tests pass on the new schema. Throws Error when that is not so; nothing is changed.
 */
export async function checkedMigrations(shell: Shell, input: SchemaInput, options: RunOptions): Promise<string[]> {
  const states = await migrationStatus(input.databaseUrl, input.migrations);
  const wrong = states.filter(({ state }) => state !== 'applied' && state !== 'pending');
  if (wrong.length > 0) throw new Error(wrong.map(({ name, state }) => `${name}.sql: ${state}`).join('\n'));
  const pending = states.filter(({ state }) => state === 'pending').map(({ name }) => name);
  if (pending.length === 0 || input.previous === null) return pending;
  const released = await migrationsAt(shell, input.previous);
  if (released === null) {
    throw new Error(
      `A version is running, but ${input.previous} is not known here: git fetch --tags, or name what runs with --previous.`,
    );
  }
  refuseBreaking(pending, released, input.migrations);
  const { code } = await shell.run(commands.testPrevious(input.previous), options);
  if (code !== 0) throw new Error(`The tests of ${input.previous} fail on the new schema.`);
  return pending;
}

/** Throws Error with a table of every statement that may break what runs now. */
export function refuseBreaking(pending: readonly string[], released: ReadonlySet<string>, folder: string): void {
  const faults = expandContractFaults({ pending, released }, readerOf(folder));
  if (faults.length === 0) return;
  const rows = faults.map(({ file, line, statement, why }) => [`${file}:${line}`, statement, why]);
  throw new Error(`${textTable(['statement', '', 'why'], rows)}\n\n${REMEDY}`);
}
