import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { eachLine } from './lines.ts';
import type { Log } from './log.ts';
import { workerConfig, type WorkerPlan } from './worker-config.ts';

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
const KILL_AFTER_MS = 3_000;
const BACKOFF_MS = { first: 100, max: 10_000 };
/** Served for so long, a crash is the first again. */
const STEADY_MS = 60_000;
/** Of util-linux: with it the kernel ends workerd with us, also when we are killed. */
const SETPRIV = '/usr/bin/setpriv';

export interface WorkerdOptions {
  program: string;
  /** Private to this process; holds the sockets and the configuration. */
  runDir: string;
  plan: Omit<WorkerPlan, 'shopSocket' | 'starterSocket'>;
  /** All of the child's environment. */
  environment: Record<string, string>;
  onLine: (line: string) => void;
  log: Log;
}

export interface Workerd {
  /** The socket to send to, as soon as there is a Worker; null after `timeoutMs`, and when none is to come back. */
  whenUp(timeoutMs: number): Promise<string | null>;
  /** SIGTERM, after a while SIGKILL; resolves when its last line was read. */
  stop(): Promise<void>;
}

interface Running {
  child: ChildProcess;
  socket: string;
  /** Resolves, to what ended it, when the process has ended and all it said is read. */
  ended: Promise<string>;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** The Worker in workerd, started again when it ends by itself. Rejects when it cannot start the first time. */
export async function startWorkerd(options: WorkerdOptions): Promise<Workerd> {
  const { log } = options;
  let generation = 0;
  let running: Running | null = null;
  let serving: string | null = null;
  let isStopping = false;
  let up = Promise.withResolvers<string | null>();

  const start = async (): Promise<Running> => {
    generation += 1;
    const started = await launch(options, generation);
    running = started;
    if (isStopping) started.child.kill('SIGKILL');
    try {
      await waitUntilUp(started);
    } catch (error) {
      started.child.kill('SIGKILL');
      await started.ended;
      throw error;
    }
    // Known before the last of its lines is read.
    started.child.once('exit', () => {
      serving = null;
      up = Promise.withResolvers();
    });
    serving = started.socket;
    up.resolve(serving);
    return started;
  };

  /** Tries until it runs again; null when it is not wanted any more. */
  const restart = async (cause: string, delayMs: number): Promise<Running | null> => {
    if (isStopping) return null;
    log.say('error', 'worker ended', { cause, restart_in_ms: delayMs });
    await pause(delayMs);
    if (isStopping) return null;
    try {
      return await start();
    } catch (error) {
      return restart(String(error), Math.min(2 * delayMs, BACKOFF_MS.max));
    }
  };

  const supervise = async (first: Running): Promise<void> => {
    let watched: Running | null = first;
    let delayMs = BACKOFF_MS.first;
    while (watched !== null) {
      const startedAt = performance.now();
      const cause = await watched.ended;
      const wasSteady = performance.now() - startedAt > STEADY_MS;
      delayMs = wasSteady ? BACKOFF_MS.first : Math.min(2 * delayMs, BACKOFF_MS.max);
      watched = await restart(cause, delayMs);
      if (watched !== null && !isStopping) log.say('info', 'worker started again');
    }
    up.resolve(null);
  };

  const supervision = supervise(await start());

  return {
    async whenUp(timeoutMs) {
      if (serving !== null || timeoutMs <= 0) return serving;
      return await Promise.race([up.promise, pause(timeoutMs).then(() => null)]);
    },
    async stop() {
      isStopping = true;
      if (running !== null) await end(running);
      await supervision;
    },
  };
}

const starterOf = (socket: string): string => socket.replace(/shop-(\d+)\.sock$/, 'starter-$1.sock');

async function launch(options: WorkerdOptions, generation: number): Promise<Running> {
  const { program, runDir, plan, environment, onLine } = options;
  const socket = path.join(runDir, `shop-${generation}.sock`);
  const file = path.join(runDir, 'worker.capnp');
  await writeFile(file, workerConfig({ ...plan, shopSocket: socket, starterSocket: starterOf(socket) }));
  const command = [program, 'serve', '--import-path=/', file, 'config'];
  if (existsSync(SETPRIV)) command.unshift(SETPRIV, '--pdeathsig', 'KILL', '--');
  const [name = '', ...args] = command;
  const child = spawn(name, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment, cwd: runDir });
  eachLine(child.stdout, onLine);
  eachLine(child.stderr, onLine);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  return { child, socket, ended };
}

/** Up is who has started the clock: by then the bundle is compiled. */
async function waitUntilUp({ ended, socket }: Running): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  let cause: string | null = null;
  void ended.then((reason) => (cause = reason));
  while (!(await answers(starterOf(socket)))) {
    if (cause !== null) throw new Error(`workerd ended before it served: ${String(cause)}`);
    if (performance.now() > deadline) throw new Error('workerd did not serve in time');
    await pause(POLL_MS);
  }
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 204);
    });
    asked.on('error', () => resolve(false)).end();
  });
}

async function end({ child, ended }: Running): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await ended;
  clearTimeout(timer);
}
