// Writes what is served as files: /openapi.json and the reference at /docs. npm run build; wrangler runs it before it bundles.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiDocument } from './docs/document.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const ASSETS = path.join(ROOT, 'dist/assets');
const OWN = path.join(ROOT, 'dev/docs');
const SWAGGER_UI = path.dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));

/** Each file of dist/assets by its path there: the file it is copied from. */
const COPIES: Record<string, string> = {
  _headers: path.join(OWN, '_headers'),
  'docs.html': path.join(OWN, 'docs.html'),
  'docs/start.js': path.join(OWN, 'start.js'),
  'docs/page.css': path.join(OWN, 'page.css'),
  'docs/swagger-ui.css': path.join(SWAGGER_UI, 'swagger-ui.css'),
  'docs/swagger-ui-bundle.js': path.join(SWAGGER_UI, 'swagger-ui-bundle.js'),
  'docs/LICENSE': path.join(SWAGGER_UI, 'LICENSE'),
  'docs/NOTICE': path.join(SWAGGER_UI, 'NOTICE'),
};

const files = new Map<string, string>([['openapi.json', `${JSON.stringify(apiDocument(), null, 1)}\n`]]);
for (const [name, source] of Object.entries(COPIES)) files.set(name, await readFile(source, 'utf8'));

await mkdir(path.join(ASSETS, 'docs'), { recursive: true });
await Promise.all([...files].map(([name, content]) => writeIfChanged(path.join(ASSETS, name), content)));
await removeOthers();

/** Unchanged files keep their time, so that a watcher of either side does not start over; others change in one step. */
async function writeIfChanged(file: string, content: string): Promise<void> {
  const known = await readFile(file, 'utf8').catch(() => null);
  if (known === content) return;
  const fresh = `${file}.${process.pid}.tmp`;
  await writeFile(fresh, content);
  await rename(fresh, file);
}

/** What an earlier version left would still be served. */
async function removeOthers(): Promise<void> {
  const entries = await readdir(ASSETS, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const file = path.join(entry.parentPath, entry.name);
    const isOurs = files.has(path.relative(ASSETS, file).replaceAll(path.sep, '/')) || entry.name.endsWith('.tmp');
    if (entry.isFile() && !isOurs) await rm(file, { force: true });
  }
}
