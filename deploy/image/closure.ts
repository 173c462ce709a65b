import { cpSync, existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const IMPORT = /^(?:import|export)\b(?!\s+type\b)(?:[^'"=;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm;
/** Of a package, what Node reads at run time and what its license asks to be kept. */
const NEEDED = /(\.(js|mjs|json)|\/LICENSE[^/]*)$/i;
const SOURCES = /\/src(\/|$)/;

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

function copyPackage(root: string, name: string, target: string): void {
  const folder = path.join(root, 'node_modules', name);
  if (!existsSync(folder)) throw new Error(`${name} is not installed: run npm ci first`);
  const manifest: { dependencies?: object } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const more = Object.keys(manifest.dependencies ?? {});
  if (more.length > 0) throw new Error(`${name} brings ${more.join(', ')}, which the image does not`);
  cpSync(folder, path.join(target, 'node_modules', name), {
    recursive: true,
    filter: (file) => {
      const inside = file.slice(folder.length);
      return !SOURCES.test(inside) && (statSync(file).isDirectory() || NEEDED.test(inside));
    },
  });
}

/** Copies the entries, paths in the project, and all that they import to the same places under `target`. */
export function copyPrograms(root: string, entries: readonly string[], target: string): void {
  const [files, packages] = [new Set<string>(), new Set<string>()];
  for (const entry of entries) addFile(path.join(root, entry), files, packages);
  for (const file of files) cpSync(file, path.join(target, path.relative(root, file)));
  for (const name of packages) copyPackage(root, name, target);
}
