import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';

/** A self-hosted replica, as its supervisor runs it, that logs to its standard output. */
export interface SelfHosted {
  url: URL;
  /** Nobody reads its output any more: the pipe fills up. */
  stopReading(): void;
  /** Nobody is there to read it: every write fails. */
  closeOutput(): void;
  /** Its exit code after SIGTERM. */
  stop(): Promise<number | null>;
}

const SUPERVISOR = path.resolve(import.meta.dirname, '../../deploy/supervisor/main.ts');
const STOP_TIMEOUT_MS = 40_000;

const Listening = z.object({ msg: z.literal('listening'), port: z.number() });

/** Rejects with what it said when it ends before it listens. */
export async function startSelfHosted(options: {
  bundle: string;
  folder: string;
  bindings: Record<string, string>;
}): Promise<SelfHosted> {
  const { bundle, folder, bindings } = options;
  const env = {
    PATH: process.env['PATH'],
    PORT: '0',
    BUNDLE_DIR: path.dirname(bundle),
    STATE_DIR: await mkdtemp(path.join(folder, 'self-hosted-')),
    ...bindings,
  };
  const child = spawn(process.execPath, [SUPERVISOR], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const port = await portOf(child);
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    stopReading: () => void child.stdout?.pause(),
    closeOutput: () => void child.stdout?.destroy(),
    stop: () => stop(child),
  };
}

/** Reads its lines until one says that it listens; from then on they are read and forgotten. */
async function portOf(child: ChildProcess): Promise<number> {
  if (child.stdout === null) throw new Error('no output');
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    const listening = Listening.safeParse(parsed(line));
    if (!listening.success) continue;
    child.stdout.resume();
    return listening.data.port;
  }
  throw new Error(`The replica ended: ${said.join('\n')}`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
  return child.exitCode;
}
