// npm run migrate:check -- --since release/production: may what was added since run beside that release?
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { migrationsAt } from './release.ts';
import { refuseBreaking } from './schema-step.ts';
import { createShell } from './shell.ts';

async function main(): Promise<void> {
  const { since } = parseArgs({ options: { since: { type: 'string', default: 'release/production' } } }).values;
  const root = process.cwd();
  const released = await migrationsAt(createShell(root, process.stdout), since);
  if (released === null) {
    console.log(`${since} is not known here: nothing was released that a migration could break.`);
    return;
  }
  const folder = join(root, 'migrations');
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql') && !file.endsWith('.down.sql'));
  const pending = files.map((file) => file.slice(0, -'.sql'.length)).filter((name) => !released.has(name));
  refuseBreaking(pending.sort(), released, folder);
  console.log(`${pending.length} migrations since ${since}, and none takes away what it may use.`);
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
