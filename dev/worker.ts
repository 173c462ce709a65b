import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { WorkerOptions, WorkerReport } from './worker-process.ts';

export interface DevWorker {
  url: string;
  stop(): Promise<void>;
}

const STOP_TIMEOUT_MS = 10_000;

/**
 * The Worker of wrangler.toml in workerd, rebuilt when its source changes. It has a process and a process group
 * of its own: wrangler's libraries end the process at the first signal, before the rest of the stack is stopped.
 */
export async function startDevWorker(options: WorkerOptions): Promise<DevWorker> {
  const child = fork(join(import.meta.dirname, 'worker-process.ts'), { detached: true });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const report = new Promise<WorkerReport>((resolve) => child.once('message', resolve));
  child.send(options);
  const first = await Promise.race([report, exited]);
  if (first === null || typeof first === 'number')
    throw new Error(`The Worker's process ended (${first ?? 'killed'}).`);
  if ('error' in first) throw new Error(`The Worker did not start: ${first.error}`);
  return {
    url: first.url,
    stop: async () => {
      // It stops when nobody is at the other end, so it also does when this process is killed.
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}
