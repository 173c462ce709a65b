// npm run secrets -- --env production --file secrets.env: checks the secrets and hands them to wrangler, which keeps them
// at Cloudflare. Values go through a pipe: not to the terminal, a command line or another file.
import { readFileSync, statSync } from 'node:fs';
import { parseArgs, parseEnv } from 'node:util';
import type * as z from 'zod';
import { bindings } from '../../src/platform/config/variables.ts';
import { textTable } from './report.ts';
import { createShell } from './shell.ts';

const USAGE = 'Usage: npm run secrets -- --env staging|production --file secrets.env [--dry-run]';

/** Names of what must not be set, each with why; no value is part of it. */
export function secretFaults(secrets: Readonly<Record<string, string>>): string[] {
  const known: Readonly<Record<string, z.ZodType>> = bindings.shape;
  const faults = Object.entries(secrets).flatMap(([name, value]) => {
    const kind = known[name];
    if (kind === undefined) return [`${name} is no binding of the Worker`];
    if (value === '') return [`${name} is empty`];
    return (kind.safeParse(value).error?.issues ?? []).map(({ message }) => `${name} ${message}`);
  });
  return Object.keys(secrets).length === 0 ? ['The file names no secret'] : faults;
}

function readSecrets(file: string): Record<string, string> {
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new Error(`${file} can be read by others: chmod 600 ${file}`);
  }
  return Object.fromEntries(
    Object.entries(parseEnv(readFileSync(file, 'utf8'))).map(([name, value]) => [name, value ?? '']),
  );
}

async function main(): Promise<number> {
  const options = { env: { type: 'string' }, file: { type: 'string' }, 'dry-run': { type: 'boolean' } } as const;
  const { env = '', file, 'dry-run': isDryRun = false } = parseArgs({ options }).values;
  if (!['staging', 'production'].includes(env) || file === undefined) throw new Error(USAGE);
  const secrets = readSecrets(file);
  const faults = secretFaults(secrets);
  if (faults.length > 0) throw new Error(`Nothing was set:\n${faults.join('\n')}`);
  console.log(
    textTable(
      ['secret', env],
      Object.keys(secrets).map((name) => [name, isDryRun ? 'would be set' : 'set']),
    ),
  );
  if (isDryRun) return 0;
  const shell = createShell(process.cwd(), process.stdout);
  const { code } = await shell.run(['wrangler', 'secret', 'bulk', '--env', env], { input: JSON.stringify(secrets) });
  return code;
}

if (import.meta.main) {
  process.exitCode = await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  });
}
