// npm run test:previous -- release/production [tests]: the tests of that release, with its Worker, on the schema as it
// will be. They pass before a migration is applied to a database that this release serves from.
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** Of the older tests, those of files and programs: they say nothing of a schema. */
const NOT_OF_THE_SCHEMA = new Set([
  'architecture',
  'bench',
  'dev',
  'migrations',
  'observability',
  'platform',
  'pricing',
  'production',
  'readme.test.ts',
  'self-hosted',
  'support',
]);

const USAGE = 'Usage: npm run test:previous -- <git ref> [folders or files of test/] [--migrations DIR]';

interface Asked {
  ref: string;
  /** Of the older test/; empty: all that a schema can break. */
  tests: readonly string[];
  /** The schema as it will be. */
  migrations: string;
}

/** Answers the exit code of the older release's tests. Throws Error when they cannot be started. */
async function testPrevious(root: string, { ref, tests, migrations }: Asked): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'edge-commerce-previous-'));
  try {
    await extract(root, ref, folder);
    await rm(join(folder, 'migrations'), { recursive: true });
    await cp(migrations, join(folder, 'migrations'), { recursive: true });
    await install(root, folder);
    const chosen = tests.length > 0 ? tests : await schemaTests(folder);
    const vitest = join(folder, 'node_modules/vitest/vitest.mjs');
    const args = ['run', '--config', 'test/vitest.config.ts', ...chosen.map((name) => `test/${name}`)];
    return await run(process.execPath, [vitest, ...args], folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function extract(root: string, ref: string, folder: string): Promise<void> {
  const file = join(folder, 'previous.tar');
  if ((await run('git', ['archive', '--output', file, `${ref}^{commit}`], root)) !== 0) {
    throw new Error(`${ref} is not known here: git fetch --tags`);
  }
  if ((await run('tar', ['-x', '-f', file, '-C', folder], root)) !== 0)
    throw new Error(`${ref} could not be unpacked.`);
  await rm(file);
}

/** The packages of this working tree serve when the lock files are the same; otherwise npm brings the older ones. */
async function install(root: string, folder: string): Promise<void> {
  const [ours, theirs] = await Promise.all([root, folder].map((at) => readFile(join(at, 'package-lock.json'), 'utf8')));
  if (ours === theirs) return symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  if ((await run('npm', ['ci', '--no-audit', '--no-fund'], folder)) !== 0) throw new Error('npm ci failed.');
}

async function schemaTests(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'test'), { withFileTypes: true });
  return names
    .filter((entry) => entry.isDirectory() || entry.name.endsWith('.test.ts'))
    .map((entry) => entry.name)
    .filter((name) => !NOT_OF_THE_SCHEMA.has(name))
    .map((name) => (name.endsWith('.ts') ? name : `${name}/`));
}

function run(program: string, args: readonly string[], cwd: string): Promise<number> {
  const child = spawn(program, args, { cwd, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 130));
  });
}

function readArguments(args: string[]): Asked {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { migrations: { type: 'string', default: 'migrations' } },
  });
  const [ref, ...tests] = positionals;
  if (ref === undefined) throw new Error(USAGE);
  return { ref, tests, migrations: values.migrations };
}

// The signal reaches the tests as well; this process outlives them to remove what it unpacked.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
try {
  process.exitCode = await testPrevious(process.cwd(), readArguments(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
