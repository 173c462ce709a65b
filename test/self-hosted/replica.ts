import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { checkedFetch } from '../support/contract.ts';
import type { Stack } from '../support/stack.ts';
import { until } from '../observability/programs.ts';

const ROOT = join(import.meta.dirname, '../..');
const SUPERVISOR = join(ROOT, 'deploy/supervisor/main.ts');

export interface Replica {
  url: string;
  port: number;
  child: ChildProcess;
  /** What it printed so far, line by line. */
  lines(): string[];
  /** The same, of those lines that are JSON objects. */
  logs(): Record<string, unknown>[];
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
  /** SIGKILL if it still runs, and its folders are gone. */
  close(): Promise<void>;
}

export interface ReplicaOptions {
  /** Environment of the process, beside PATH. */
  env: Record<string, string>;
  /** Another command than the project's own supervisor; the environment is the same. */
  command?: string[];
  /** Kept after close(), when it is given. */
  stateDir?: string;
  /** Where the line is that says that it listens, if not on stdout. */
  readLog?: () => string;
}

/** Starts the supervisor on a free port; resolves when it listens and rejects, with all it said, when it ends before. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'replica-')));
  const replica = spawnReplica({ ...options, stateDir });
  const close = async (): Promise<void> => {
    replica.child.kill('SIGKILL');
    await replica.ended;
    if (options.stateDir === undefined) await rm(stateDir, { recursive: true, force: true });
  };
  const listening = until('the replica listens', 60_000, () => {
    const lines = options.readLog === undefined ? replica.logs() : parsed(options.readLog().split('\n'));
    return lines.find(({ msg }) => msg === 'listening');
  });
  const first = await Promise.race([listening, replica.ended]);
  if (typeof first !== 'object') {
    await close();
    throw new Error(`The replica ended with ${first}: ${replica.lines().join('\n')}`);
  }
  const scheme = first['tls'] === true ? 'https' : 'http';
  const port = Number(first['port']);
  return { ...replica, port, url: `${scheme}://127.0.0.1:${port}`, close };
}

/** The process alone, also one that is not to come up. */
export function spawnReplica({
  env,
  command = [process.execPath, SUPERVISOR],
  stateDir,
}: ReplicaOptions): Omit<Replica, 'url' | 'port' | 'close'> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: {
      PATH: process.env['PATH'] ?? '',
      TMPDIR: tmpdir(),
      PORT: '0',
      BUNDLE_DIR: inject('shared').workerDir,
      ...(stateDir !== undefined && { STATE_DIR: stateDir }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code ?? -1));
  });
  const lines = () => said.split('\n').filter((line) => line !== '');
  return { child, ended, lines, logs: () => parsed(lines()) };
}

/** A replica whose peers are not there: it is alive, and that is all. */
export function bareBindings(): Record<string, string> {
  const secret = () => randomBytes(32).toString('hex');
  return {
    ENVIRONMENT: 'test',
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    DATABASE_ENDPOINT: 'http://127.0.0.1:1',
    UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
    UPSTASH_REDIS_REST_TOKEN: secret(),
    JWT_ACCESS_SECRET: secret(),
    JWT_REFRESH_SECRET: secret(),
    ORDER_TOKEN_SECRET: secret(),
  };
}

/** The process id of the replica's workerd. */
export function workerdOf({ child }: { child: ChildProcess }): number {
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
  const found = children.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'workerd');
  if (found === undefined) throw new Error('there is no workerd');
  return Number(found);
}

/** The stack's database, Redis, provider and mails, with this replica in the place of its Worker. */
export function onReplica(stack: Stack, { url }: { url: string }): Stack {
  stack.provider.setWebhookUrl(`${url}/api/v1/webhooks/payments/test`);
  return { ...stack, url, fetch: checkedFetch(url) };
}

function parsed(lines: string[]): Record<string, unknown>[] {
  return lines.flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === 'object' && value !== null ? [{ ...value }] : [];
    } catch {
      return [];
    }
  });
}
