import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Account,
  type Binaries,
  clusterDir,
  postgresAccount,
  postgresBinaries,
  privateDir,
} from './postgres-files.ts';

export interface LocalPostgres {
  host: string;
  port: number;
  /** Connection string of the superuser for one database. */
  superuserUrl(database: string): string;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /**
   * Where the data is kept; as root a link to where it is (see clusterDir). Absent, for tests:
   * a temp folder that stop() removes, and no flush to disk.
   */
  dataDir?: string;
  /** 0 or absent: any free port. */
  port?: number;
  log?: (line: string) => void;
}

interface Cluster {
  binaries: Binaries;
  account: Account | undefined;
  home: string;
  data: string;
  log: (line: string) => void;
}

const HOST = '127.0.0.1';
const SUPERUSER = 'postgres';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const DURABLE = ['max_connections=100', 'jit=off'];
const EPHEMERAL = ['max_connections=300', 'jit=off', 'fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];

/**
 * Starts a real Postgres on loopback, with its data kept in `dataDir`. Throws one readable line when
 * the port is taken, the data is in use, or the binaries are absent.
 */
export async function startPostgres(options: PostgresOptions): Promise<LocalPostgres> {
  const account = postgresAccount();
  const binaries = postgresBinaries(account);
  const log = options.log ?? (() => undefined);
  const port = options.port ?? 0;
  if (options.dataDir !== undefined) {
    const home = clusterDir(options.dataDir, account);
    return start({ account, binaries, home, data: join(home, 'data'), log }, { port, settings: DURABLE, remove: '' });
  }
  const home = mkdtempSync(join(account === undefined ? tmpdir() : '/tmp', 'edge-commerce-'));
  const cluster = { account, binaries, home, data: join(home, 'data'), log };
  return start(cluster, { port, settings: EPHEMERAL, remove: home }).catch((error: unknown) => {
    rmSync(home, { recursive: true, force: true });
    throw error;
  });
}

interface Run {
  port: number;
  settings: string[];
  /** A folder that ends with the server, or nothing. */
  remove: string;
}

async function start(cluster: Cluster, run: Run): Promise<LocalPostgres> {
  privateDir(cluster.home, cluster.account);
  const password = await prepare(cluster);
  const { child, port } = await launch(cluster, run);
  const guard = stopWithUs(child, run.remove);
  return {
    host: HOST,
    port,
    superuserUrl: (database) => `postgres://${SUPERUSER}:${password}@${HOST}:${port}/${database}`,
    stop: async () => {
      await stopProcess(child);
      guard?.kill('SIGKILL');
      rmSync(join(cluster.home, 'owner.pid'), { force: true });
      if (run.remove !== '') rmSync(run.remove, { recursive: true, force: true });
    },
  };
}

/** Makes the cluster when there is none, frees it from a killed run, and answers its password. */
async function prepare(cluster: Cluster): Promise<string> {
  const passwordFile = join(cluster.home, 'superuser');
  if (existsSync(join(cluster.data, 'PG_VERSION'))) {
    await freeFromKilledRun(cluster);
    return readFileSync(passwordFile, 'utf8').trim();
  }
  const password = randomBytes(18).toString('hex');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (cluster.account !== undefined) chownSync(passwordFile, cluster.account.uid, cluster.account.gid);
  // Made aside and renamed, so that an initdb cut short leaves nothing that looks like a cluster.
  const half = `${cluster.data}.new`;
  rmSync(half, { recursive: true, force: true });
  const args = ['-D', half, '-U', SUPERUSER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--no-sync'];
  // The builtin provider sorts and folds case the same way on every operating system.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  execFileSync(cluster.binaries.initdb, [...args, ...locale], {
    ...cluster.account,
    cwd: cluster.home,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  renameSync(half, cluster.data);
  return password;
}

async function launch(cluster: Cluster, run: Run): Promise<{ child: ChildProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = run.port === 0 ? await freePort() : run.port;
    try {
      return { child: await launchOn(cluster, port, run.settings), port };
    } catch (error) {
      // Between finding a free port and using it somebody else may have taken it.
      if (run.port !== 0 || attempt === 5 || !(error instanceof PortTaken)) throw error;
    }
  }
}

class PortTaken extends Error {}

function launchOn(cluster: Cluster, port: number, settings: string[]): Promise<ChildProcess> {
  const common = [`listen_addresses=${HOST}`, 'unix_socket_directories=', 'timezone=UTC', 'log_timezone=UTC'];
  const flags = [...common, ...settings].flatMap((setting) => ['-c', setting]);
  // Detached: Ctrl-C reaches the whole foreground group, and the database must outlive its clients.
  const child = spawn(cluster.binaries.postgres, ['-D', cluster.data, '-p', String(port), ...flags], {
    ...cluster.account,
    cwd: cluster.home,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  writeFileSync(join(cluster.home, 'owner.pid'), String(process.pid));
  let output = '';
  let ready = false;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGQUIT'), START_TIMEOUT_MS);
    child.once('error', reject);
    child.once('exit', () => {
      clearTimeout(timer);
      const taken = /could not (bind|create any TCP)/.test(output);
      reject(
        taken ? new PortTaken(`Port ${port} for Postgres is taken.`) : new Error(`Postgres did not start:\n${output}`),
      );
    });
    child.stderr.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n').filter(Boolean)) cluster.log(line);
      if (ready) return;
      output += chunk.toString();
      ready = output.includes('ready to accept connections');
      if (!ready) return;
      clearTimeout(timer);
      resolve(child);
    });
  });
}

/** When we are killed without a chance to clean up, its pipe closes and this shell does it. */
function stopWithUs(child: ChildProcess, remove: string): ChildProcess | undefined {
  if (process.platform === 'win32') return undefined;
  const script = `read -r _; kill -INT "$1" 2>/dev/null; [ -n "$2" ] || exit 0
    while kill -0 "$1" 2>/dev/null; do sleep 0.2; done; rm -rf "$2"`;
  const guard = spawn('sh', ['-c', script, 'sh', String(child.pid), remove], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.unref();
  return guard;
}

/** SIGINT is Postgres' fast shutdown: sessions are ended, data is flushed. */
async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

/**
 * A killed run leaves postmaster.pid, and Postgres refuses to start when another process has that
 * number by now. A live server without its owner is stopped; one with its owner is in use.
 */
async function freeFromKilledRun(cluster: Cluster): Promise<void> {
  const pidFile = join(cluster.data, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n', 1)[0]);
  const ownerFile = join(cluster.home, 'owner.pid');
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (commandLine(pid).includes(cluster.data)) {
    const owner = existsSync(ownerFile) ? Number(readFileSync(ownerFile, 'utf8')) : 0;
    if (owner !== process.pid && commandLine(owner).includes('node')) {
      throw new Error(`The database in ${cluster.home} is in use: stop the other run first (process ${owner}).`);
    }
    if (Date.now() > deadline) throw new Error(`A Postgres from a killed run does not stop: end process ${pid}.`);
    process.kill(pid, 'SIGINT');
    await sleep(200);
  }
  rmSync(pidFile, { force: true });
}

/** Empty when there is no such process. */
function commandLine(pid: number): string {
  if (!Number.isInteger(pid) || pid <= 0) return '';
  try {
    if (existsSync('/proc/self/cmdline')) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-p', String(pid), '-o', 'command='], { stdio: 'pipe' }).toString();
  } catch {
    return '';
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
