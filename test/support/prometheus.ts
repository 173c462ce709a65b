import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whether a program of the system is there; says what is skipped when it is not. With REQUIRE_PROGRAMS=1 nothing is. */
export function isInstalled(program: string): boolean {
  if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0) return true;
  if (process.env['REQUIRE_PROGRAMS'] === '1') throw new Error(`${program} is not installed`);
  console.warn(`Skipped: ${program} is not installed`);
  return false;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export interface Program {
  url: string;
  close(): Promise<void>;
}

/** Runs a program of Prometheus's family on a free port until its `/-/ready` answers. */
export async function startProgram(program: string, args: string[]): Promise<Program> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(program, [`--web.listen-address=${new URL(url).host}`, '--log.level=error', ...args], {
    stdio: 'ignore',
  });
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  for (let tries = 0; !(await isReady()); tries += 1) {
    if (tries === 300 || child.exitCode !== null) {
      await stop(child);
      throw new Error(`${program} did not come up`);
    }
    await sleep(100);
  }
  return { url, close: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
