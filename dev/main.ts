import { join } from 'node:path';
import { banner } from './banner.ts';
import { devSecrets } from './secrets.ts';
import { readSettings } from './settings.ts';
import { startDevStack, type Stops } from './stack.ts';

const STATE_DIR = join(import.meta.dirname, '../.dev');
const STOP_DEADLINE_MS = 30_000;

/** `npm run dev`: the whole shop on this machine, until Ctrl-C. */
export async function main(flags: string[]): Promise<void> {
  const stopping = Promise.withResolvers<void>();
  // Kept for good: Ctrl-C reaches us from the terminal and again from npm, and the second must not cut the first short.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.resolve());
  const stops: Stops = [];
  try {
    const secrets = devSecrets(join(STATE_DIR, 'secrets.json'));
    const settings = readSettings(process.env, flags, secrets);
    const starting = startDevStack(settings, secrets, STATE_DIR, stops).then((stack) => console.log(banner(stack)));
    await Promise.race([starting, stopping.promise]);
    await stopping.promise;
    console.log('Stopping.');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
  setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
  for (const stop of stops.reverse()) await stop();
  process.exit();
}
