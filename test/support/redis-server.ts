import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface RedisServer {
  url: string;
  /** SIGKILL: nothing that it held in memory is left. */
  kill(): Promise<void>;
  /** Up again on the same port, and empty unless its configuration keeps data. */
  start(): Promise<void>;
  /** It answers nobody until it is told to go on. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

export interface RedisServerOptions {
  port?: number;
  /** A file to start with; without one, nothing is kept on disk. */
  config?: string;
  /** Where it is started and keeps its data; not removed. */
  folder?: string;
  /** How many databases it has; 16 by default. */
  databases?: number;
}

/** Whether redis-server is on the path; says what is used where it is not. */
export function isRedisInstalled(): boolean {
  const isThere = spawnSync('redis-server', ['--version']).error === undefined;
  if (!isThere) console.warn('redis-server is not installed: tests run on the embedded Redis, and take longer');
  return isThere;
}

/** These programs cannot tell which port they took, so one is chosen for them. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** An empty database of the server's for whoever asks: the next one, counted in database 0. */
export async function nextDatabase(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    return `${url}/${await redis.incr('databases')}`;
  } finally {
    redis.disconnect();
  }
}

/** A real redis-server on a free loopback port. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'redis-')));
  const keepNothing = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const settings = options.config === undefined ? keepNothing : [options.config];
  const databases = options.databases === undefined ? [] : ['--databases', String(options.databases)];
  const args = [...settings, '--port', String(port), '--dir', folder, ...databases];

  let server: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (server === undefined) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    server = undefined;
    await exited;
  };
  const start = async (): Promise<void> => {
    const started = spawn('redis-server', args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    server = started;
    await new Promise<void>((resolve, reject) => {
      started.once('exit', () => reject(new Error('redis-server did not start')));
      started.stdout.on('data', (chunk: Buffer) => {
        if (chunk.includes('Ready to accept connections')) resolve();
      });
    });
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    start,
    pause: () => server?.kill('SIGSTOP'),
    resume: () => server?.kill('SIGCONT'),
    async close() {
      await kill();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
