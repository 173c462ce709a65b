// The file tree of the image, from the root down: node deploy/image/build.ts FOLDER [--bundle DIR]
// The Dockerfile's builder runs this, and a test runs the entrypoint from what it made. Without --bundle, wrangler makes one.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { copyPrograms } from './closure.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PROGRAMS = ['deploy/supervisor/main.ts', 'deploy/image/healthcheck.ts'];
/** Paths of programs in the project, by their names in the image. */
const BINARIES = { node: 'node_modules/node/bin/node', workerd: 'node_modules/workerd/bin/workerd' };

/** What is executed, in the image: the Dockerfile's ENTRYPOINT, which a test holds against this. */
export const ENTRYPOINT = [
  '/app/bin/node',
  '--disable-sigusr1',
  '/app/deploy/supervisor/main.ts',
  '--workerd=/app/bin/workerd',
];

/** Writes the tree under `folder`; `bundleDir` holds a bundle that wrangler has made. */
export function buildImageTree(folder: string, bundleDir: string): void {
  const app = path.join(folder, 'app');
  for (const name of ['bin', 'bundle', 'dist']) mkdirSync(path.join(app, name), { recursive: true });
  copyPrograms(ROOT, PROGRAMS, app);
  for (const [name, source] of Object.entries(BINARIES)) {
    copyFileSync(path.join(ROOT, source), path.join(app, 'bin', name));
    chmodSync(path.join(app, 'bin', name), 0o755);
  }
  copyFileSync(path.join(bundleDir, 'index.js'), path.join(app, 'bundle/index.js'));
  cpSync(path.join(ROOT, 'dist/assets'), path.join(app, 'dist/assets'), { recursive: true });
  copyFileSync(path.join(ROOT, 'LICENSE'), path.join(app, 'LICENSE'));
  writeFileSync(path.join(app, 'package.json'), `${JSON.stringify({ type: 'module' })}\n`);
  const state = path.join(folder, 'var/lib/ecommerce-api');
  mkdirSync(state, { recursive: true });
  chmodSync(state, 0o750);
}

function makeBundle(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'image-bundle-'));
  const wrangler = path.join(ROOT, 'node_modules/wrangler/bin/wrangler.js');
  const args = [wrangler, 'deploy', '--dry-run', '--env', 'production', '--outdir', folder];
  // wrangler runs the build with the first node on PATH.
  const search = [path.dirname(process.execPath), process.env['PATH']].join(path.delimiter);
  const env = {
    ...process.env,
    PATH: search,
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    CI: 'true',
  };
  execFileSync(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'ignore', 'inherit'] });
  return folder;
}

if (import.meta.main) {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { bundle: { type: 'string' } } });
  const [folder] = positionals;
  if (folder === undefined) throw new Error('Usage: node deploy/image/build.ts FOLDER [--bundle DIR]');
  const made = values.bundle === undefined ? makeBundle() : null;
  buildImageTree(path.resolve(folder), made ?? path.resolve(values.bundle ?? ''));
  if (made !== null) rmSync(made, { recursive: true });
}
