import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '../..');
const NOT_CLONED = new Set(['node_modules', '.git', '.dev', '.wrangler', 'dist']);
const GIVE_UP_MS = 90_000;

export interface Clone {
  dir: string;
  remove(): void;
}

export interface Run {
  /** Everything printed so far. */
  output(): string;
  /** The URL in the banner; rejects when it ends without one. */
  url(): Promise<string>;
  exitCode: Promise<number | null>;
  /** To the whole process group, as a terminal does. */
  signal(name: NodeJS.Signals): void;
}

/** A fresh copy of the project with its packages, in a folder that only we can enter (0700). */
export function cloneProject(): Clone {
  const dir = join(realpathSync(mkdtempSync(join(tmpdir(), 'edge-commerce-clone-'))), 'clone');
  cpSync(ROOT, dir, { recursive: true, filter: (path) => dirname(path) !== ROOT || !NOT_CLONED.has(basename(path)) });
  copyPackages(dir);
  return {
    dir,
    remove: () => {
      rmSync(dataFolder(dir), { recursive: true, force: true });
      rmSync(dirname(dir), { recursive: true, force: true });
    },
  };
}

/** `npm run dev` there, with these variables and none of ours. */
export function runDev(clone: Clone, env: Record<string, string> = {}, flags: string[] = []): Run {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn('npm', ['run', 'dev', '--', ...flags], {
    cwd: clone.dir,
    detached: true,
    env: { PATH, HOME, PORT: '0', npm_config_update_notifier: 'false', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const exitCode = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    output: () => output,
    url: () => waitForUrl(child, () => output),
    exitCode,
    signal: (name) => void process.kill(-(child.pid ?? 0), name),
  };
}

/** Command lines of the processes that belong to the clone; zombies have none. */
export function processesOf(clone: Clone): string[] {
  const data = dataFolder(clone.dir);
  return commandLines().filter((line) => line.includes(clone.dir) || line.includes(data));
}

/** Waits for the processes of a run that was killed to notice it. */
export async function untilNoProcess(clone: Clone): Promise<void> {
  for (let waited = 0; processesOf(clone).length > 0 && waited < GIVE_UP_MS; waited += 200) await sleep(200);
}

/** As root it is a link to a folder that Postgres can enter. */
function dataFolder(dir: string): string {
  const path = join(dir, '.dev/postgres');
  return existsSync(path) ? realpathSync(path) : path;
}

async function waitForUrl(child: ChildProcess, output: () => string): Promise<string> {
  for (let waited = 0; waited < GIVE_UP_MS; waited += 100) {
    const url = /Shop +(http:\S+)\/api\/v1/.exec(output())?.[1];
    if (url !== undefined) return url;
    if (child.exitCode !== null) break;
    await sleep(100);
  }
  throw new Error(`npm run dev did not come up:\n${output()}`);
}

/** Hard links where the file system allows: 500 MB of packages take no room and little time. */
function copyPackages(dir: string): void {
  const [from, to] = [join(ROOT, 'node_modules'), join(dir, 'node_modules')];
  try {
    execFileSync('cp', ['-al', from, to], { stdio: 'pipe' });
  } catch {
    rmSync(to, { recursive: true, force: true });
    cpSync(from, to, { recursive: true, verbatimSymlinks: true });
  }
}

function commandLines(): string[] {
  if (process.platform !== 'linux') return execFileSync('ps', ['-axo', 'command=']).toString().split('\n');
  return readdirSync('/proc').flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')] : [];
    } catch {
      return [];
    }
  });
}
