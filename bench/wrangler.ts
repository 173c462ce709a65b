import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const COMMAND = fileURLToPath(new URL('../node_modules/wrangler/bin/wrangler.js', import.meta.url));
const TIMEOUT_MS = 120_000;

/** Runs wrangler in a folder, without an account and without asking. Throws with its output when it fails. */
export async function wrangler(folder: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [COMMAND, ...args], {
    cwd: folder,
    env: { ...process.env, CI: 'true', WRANGLER_SEND_METRICS: 'false', NO_COLOR: '1' },
    timeout: TIMEOUT_MS,
    maxBuffer: 16 * 2 ** 20,
  });
}
