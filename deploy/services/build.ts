// The file tree of the endpoints' image: what three commands import and nothing else. The Dockerfile runs this, and a test
// runs the endpoints from what it made.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const ENTRIES = ['deploy/services/postgres.ts', 'deploy/services/redis.ts', 'dev/migrate.ts'];
/** Read at run time, not imported. */
const DATA = ['migrations', 'LICENSE'];
const IMPORT = /^(?:import|export)\b(?!\s+type\b)(?:[^'"=;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm;

interface Parts {
  files: Set<string>;
  packages: Set<string>;
}

/** Adds a file of ours and all that it imports at run time; types are gone by then. */
function addFile(path: string, parts: Parts): void {
  if (parts.files.has(path)) return;
  parts.files.add(path);
  for (const [, name = ''] of readFileSync(path, 'utf8').matchAll(IMPORT)) {
    if (name.startsWith('.')) addFile(join(dirname(path), name), parts);
    else if (!name.startsWith('node:')) addPackage(packageOf(name), ROOT, parts);
  }
}

function packageOf(name: string): string {
  return name.split('/', name.startsWith('@') ? 2 : 1).join('/');
}

/** Adds a package and those it depends on, each found as Node finds it: upwards from who asks. */
function addPackage(name: string, from: string, parts: Parts): void {
  const folder = join(from, 'node_modules', name);
  if (!existsSync(folder)) {
    if (from === ROOT) throw new Error(`${name} is not installed: run npm ci first.`);
    addPackage(name, dirname(from), parts);
    return;
  }
  if (parts.packages.has(folder)) return;
  parts.packages.add(folder);
  const manifest: { dependencies?: Record<string, string> } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  for (const dependency of Object.keys(manifest.dependencies ?? {})) addPackage(dependency, folder, parts);
}

/** Writes the tree into `folder` and answers how much it is. */
export function buildServices(folder: string): { files: number; packages: number } {
  const parts: Parts = { files: new Set(), packages: new Set() };
  for (const entry of ENTRIES) addFile(join(ROOT, entry), parts);
  mkdirSync(folder, { recursive: true });
  for (const path of [...parts.files, ...DATA.map((name) => join(ROOT, name))]) {
    cpSync(path, join(folder, relative(ROOT, path)), { recursive: true });
  }
  for (const path of parts.packages) cpSync(path, join(folder, relative(ROOT, path)), { recursive: true });
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ type: 'module' })}\n`);
  return { files: parts.files.size, packages: parts.packages.size };
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('Usage: node deploy/services/build.ts FOLDER');
  const { files, packages } = buildServices(folder);
  console.log(`${files} files and ${packages} packages in ${folder}`);
}
