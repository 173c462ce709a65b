import { cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const IMPORT = /^(?:import|export)\b(?!\s+type\b)(?:[^'"=;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm;
/** Of a package, what Node reads at run time and what its license asks to be kept. */
const NEEDED = /(\.(js|cjs|mjs|json)|\/LICENSE[^/]*)$/i;
/** What a package was made from, which Node does not read: its JavaScript may lie in a folder of that name as well. */
const isSource = (folder: string): boolean =>
  path.basename(folder) === 'src' && !readdirSync(folder).some((name) => name.endsWith('.js'));

/** Adds a file of ours and all that it imports at run time, by name; types are gone by then. */
function addFile(file: string, files: Set<string>, packages: Set<string>): void {
  if (files.has(file)) return;
  files.add(file);
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    if (name.startsWith('.')) addFile(path.join(path.dirname(file), name), files, packages);
    else if (!name.startsWith('node:')) packages.add(packageOf(name));
  }
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Adds the folder of a package and of those it depends on, each found as Node finds it: upwards from who asks. */
function addPackage(root: string, name: string, from: string, folders: Set<string>): void {
  const folder = path.join(from, 'node_modules', name);
  if (!existsSync(folder)) {
    if (from === root) throw new Error(`${name} is not installed: run npm ci first`);
    addPackage(root, name, path.dirname(from), folders);
    return;
  }
  if (folders.has(folder)) return;
  folders.add(folder);
  const manifest: { dependencies?: object } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  for (const dependency of Object.keys(manifest.dependencies ?? {})) addPackage(root, dependency, folder, folders);
}

function copyPackage(folder: string, target: string): void {
  cpSync(folder, target, {
    recursive: true,
    filter: (file) => (statSync(file).isDirectory() ? !isSource(file) : NEEDED.test(file)),
  });
}

/** Copies the entries, paths in the project, and all that they import to the same places under `target`. */
export function copyPrograms(root: string, entries: readonly string[], target: string): void {
  const [files, packages] = [new Set<string>(), new Set<string>()];
  for (const entry of entries) addFile(path.join(root, entry), files, packages);
  for (const file of files) cpSync(file, path.join(target, path.relative(root, file)));
  const folders = new Set<string>();
  for (const name of packages) addPackage(root, name, root, folders);
  for (const folder of folders) copyPackage(folder, path.join(target, path.relative(root, folder)));
}
