// The file tree of the endpoints' image: what three commands import and nothing else. The Dockerfile's builder runs this, and
// a test runs the endpoints from what it made: node deploy/services/build.ts FOLDER
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { copyPrograms } from '../image/closure.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PROGRAMS = ['deploy/services/postgres.ts', 'deploy/services/redis.ts', 'dev/migrate.ts'];
/** Read at run time, not imported. */
const DATA = ['migrations', 'LICENSE'];

/** Writes the tree under `folder`. */
export function buildServices(folder: string): void {
  mkdirSync(folder, { recursive: true });
  copyPrograms(ROOT, PROGRAMS, folder);
  for (const name of DATA) cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify({ type: 'module' })}\n`);
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('Usage: node deploy/services/build.ts FOLDER');
  buildServices(folder);
}
