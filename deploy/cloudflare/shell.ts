import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { printable, type Command } from './commands.ts';

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Its output is not shown. */
  quiet?: boolean;
  env?: Record<string, string>;
  /** For its standard input, which is closed otherwise. */
  input?: string;
  /** Ends it; without one it is waited for, whatever happens: half a deployment helps nobody. */
  signal?: AbortSignal;
}

export interface Shell {
  /** Answers for every end of the program, also a bad one; code 127 when there is no such program. */
  run(command: Command, options?: RunOptions): Promise<Result>;
}

/** Nobody is asked, nothing is told to others, and wrangler does not look for a newer one. */
const QUIET = { CI: 'true', WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' };

/**
 * Programs of PATH, then of node_modules/.bin. Each has a process group of its own, so that Ctrl-C reaches the deployment
 * alone, which then decides what is to become of it.
 */
export function createShell(cwd: string, out: NodeJS.WritableStream): Shell {
  const bin = join(import.meta.dirname, '../../node_modules/.bin');
  const path = [process.env['PATH'] ?? '', bin].join(delimiter);
  return {
    run: (command, { quiet = false, env = {}, input = '', signal } = {}) => {
      const [program = '', ...args] = command;
      if (!quiet) out.write(`$ ${printable(command)}\n`);
      return new Promise((resolve) => {
        const child = spawn(program, args, {
          cwd,
          detached: true,
          stdio: ['pipe', 'pipe', 'pipe'],
          env: { ...process.env, PATH: path, ...QUIET, ...env },
        });
        // A program that does not read it may be gone before it is written.
        child.stdin.on('error', () => undefined).end(input);
        const said = { stdout: '', stderr: '' };
        for (const stream of ['stdout', 'stderr'] as const) {
          child[stream].setEncoding('utf8').on('data', (text: string) => {
            said[stream] += text;
            if (!quiet) out.write(text);
          });
        }
        const end = (): void => endGroup(child.pid);
        signal?.addEventListener('abort', end, { once: true });
        child.once('error', (error) => resolve({ ...said, code: 127, stderr: error.message }));
        child.once('close', (code) => {
          signal?.removeEventListener('abort', end);
          resolve({ ...said, code: code ?? 130 });
        });
      });
    },
  };
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It ended by itself in the meantime.
  }
}
