import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { inject } from 'vitest';
import { postgresAccount, privateDir } from '../../dev/postgres-files.ts';
import { makeTemplate, type SharedStack } from './global-setup.ts';

export interface DumpablePostgres {
  /** For startStack(): what all files share, or a server of this file's own. */
  shared: SharedStack;
  close(): void;
}

/** pg_dump takes no server that is newer than itself, and the one that all tests share is of this version. */
const SHARED_MAJOR = 18;
const SHARED = Symbol('shared');

/** The folder of the server that came with the installed pg_dump; SHARED where pg_dump can dump what all tests share. */
function serverPrograms(): string | typeof SHARED | undefined {
  const said = spawnSync('pg_dump', ['--version'], { encoding: 'utf8' });
  const major = /(\d+)\./.exec(said.stdout ?? '')?.[1];
  if (major === undefined) return undefined;
  if (Number(major) >= SHARED_MAJOR) return SHARED;
  const found = execFileSync('sh', ['-c', 'command -v pg_dump'], { encoding: 'utf8' }).trim();
  const folders = [`/usr/lib/postgresql/${major}/bin`, dirname(realpathSync(found))];
  return folders.find((folder) => existsSync(join(folder, 'initdb')));
}

/** Whether a database can be dumped here; with REQUIRE_PROGRAMS=1 it must. */
export function canDump(): boolean {
  const missing = ['bash', 'flock', 'psql'].filter((name) => spawnSync(name, ['--version']).error !== undefined);
  if (missing.length === 0 && serverPrograms() !== undefined) return true;
  const why = `pg_dump with a server of its version (Debian: postgresql) ${missing.join(' ')} is not installed`;
  if (process.env['REQUIRE_PROGRAMS'] === '1') throw new Error(why);
  console.warn(`Skipped: ${why}`);
  return false;
}

/** A Postgres that the installed pg_dump can dump, with both roles, migrated and seeded as the shared one is. */
export async function startDumpablePostgres(): Promise<DumpablePostgres> {
  const shared = inject('shared');
  const programs = serverPrograms();
  if (programs === undefined) throw new Error('no pg_dump');
  if (programs === SHARED) return { shared, close: () => undefined };
  const account = postgresAccount();
  const home = mkdtempSync('/tmp/dumpable-');
  privateDir(home, account);
  const run = (program: string, args: string[]) =>
    execFileSync(join(programs, program), args, { ...account, cwd: home, stdio: ['ignore', 'ignore', 'pipe'] });
  const passwords = { superuser: secret(), owner: secret(), app: secret() };
  const passwordFile = join(home, 'password');
  writeFileSync(passwordFile, passwords.superuser, { mode: 0o600 });
  if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
  const data = join(home, 'data');
  const common = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--locale=C.UTF-8'];
  run('initdb', ['-D', data, '-U', 'postgres', '--no-sync', ...common]);
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'fsync=off', 'jit=off'];
  const flags = settings.map((setting) => `-c ${setting}`).join(' ');
  const log = join(home, 'log');
  const close = (): void => {
    run('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
    rmSync(home, { recursive: true, force: true });
  };
  try {
    run('pg_ctl', ['-D', data, '-w', '-l', log, '-o', flags, 'start']);
  } catch (error) {
    throw new Error(`Postgres did not start: ${existsSync(log) ? readFileSync(log, 'utf8') : ''}`, { cause: error });
  }
  const superuserUrl = `postgres://postgres:${passwords.superuser}@127.0.0.1:${port}/postgres`;
  try {
    await makeTemplate(superuserUrl, passwords);
  } catch (error) {
    close();
    throw error;
  }
  const { owner: ownerPassword, app: appPassword } = passwords;
  return { shared: { ...shared, host: '127.0.0.1', port, superuserUrl, ownerPassword, appPassword }, close };
}

const secret = (): string => randomBytes(18).toString('hex');

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
