// What the self-hosted front costs: requests/s of the same workerd behind it and by its own socket: npm run bench:front
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { type LoadOptions, load, send } from './load.ts';
import { cpuSeconds } from './process-cpu.ts';
import { table } from './table.ts';
import { wrangler } from './wrangler.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const LOAD: LoadOptions = { connections: 32, warmUpMs: 2_000, durationMs: 6_000 };
/** Requests whose CPU time is measured: other work on the machine does not change it much. */
const COUNTED = 10_000;
const Listening = z.object({ msg: z.literal('listening'), port: z.number() });

const folder = await mkdtemp(path.join(tmpdir(), 'bench-front-'));
const bundle = path.join(folder, 'bundle');
await wrangler(ROOT, ['deploy', '--dry-run', '--env', 'production', '--outdir', bundle]);
const replica = spawn(process.execPath, [path.join(ROOT, 'deploy/supervisor/main.ts'), '--bundle', bundle], {
  env: { PATH: process.env.PATH, TMPDIR: folder, STATE_DIR: path.join(folder, 'state'), PORT: '0', ...bindings() },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const front = new URL(`http://127.0.0.1:${await portOf()}/health/live`);
  const rows: string[][] = [];
  let directRate = Number.NaN;
  for (const [name, options] of [
    ['workerd, by its socket', { ...LOAD, socketPath: socketOf() }],
    ['the same through the front', LOAD],
  ] as const) {
    const { requestsPerSecond, p50Ms, p99Ms } = await load(() => front, options);
    if (rows.length === 0) directRate = requestsPerSecond;
    const share = (requestsPerSecond / directRate).toFixed(2);
    rows.push([name, requestsPerSecond.toFixed(0), p50Ms.toFixed(1), p99Ms.toFixed(1), share]);
  }
  console.log(table(['GET /health/live', 'requests/s', 'p50 ms', 'p99 ms', 'of direct'], rows));
  console.log(`(${LOAD.connections} connections for ${LOAD.durationMs / 1000} s each, client on the same machine)`);
  const [supervisor, workerd] = [String(replica.pid), childOf(replica.pid)];
  const before = [cpuSeconds(supervisor), cpuSeconds(workerd)];
  await send(() => front, COUNTED, LOAD.connections);
  const [ofFront, ofWorkerd] = [supervisor, workerd].map((pid, n) => cpuSeconds(pid) - (before[n] ?? 0));
  const micros = (seconds = Number.NaN) => ((1e6 * seconds) / COUNTED).toFixed(0);
  console.log(`CPU per request, over ${COUNTED}: front ${micros(ofFront)} us, workerd ${micros(ofWorkerd)} us`);
} finally {
  replica.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
}

/** Peers that are not there: what is asked needs none. */
function bindings(): Record<string, string> {
  const secret = () => randomBytes(32).toString('hex');
  return {
    ENVIRONMENT: 'production',
    LOG_LEVEL: 'fatal',
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none?sslmode=require',
    DATABASE_ENDPOINT: 'http://127.0.0.1:1',
    UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
    UPSTASH_REDIS_REST_TOKEN: secret(),
    JWT_ACCESS_SECRET: secret(),
    JWT_REFRESH_SECRET: secret(),
    ORDER_TOKEN_SECRET: secret(),
  };
}

async function portOf(): Promise<number> {
  for await (const line of createInterface(replica.stdout)) {
    const said = Listening.safeParse(JSON.parse(line));
    if (said.success) return said.data.port;
  }
  throw new Error('the replica did not start');
}

/** The replica's only child process, as /proc lists it. */
function childOf(pid = 0): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
}

/** The one that workerd listens on, in the only folder the replica made. */
function socketOf(): string {
  const [socket] = globSync(path.join(folder, 'ecommerce-api-*/shop-1.sock'));
  if (socket === undefined) throw new Error('workerd has no socket');
  return socket;
}
