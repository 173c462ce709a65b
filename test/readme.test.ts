import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStack, type Stack } from './support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

function blockAfter(readme: string, heading: string, language: string): string {
  const from = readme.slice(readme.indexOf(heading));
  const block = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(from)?.[1];
  if (block === undefined) throw new Error(`README has no ${language} block after ${heading}`);
  return block;
}

/** The tour is for a shell; a machine without these still runs every other test. */
const missing = ['bash', 'curl'].filter((program) => spawnSync(program, ['--version']).error !== undefined);
if (missing.length > 0) console.warn(`Skipped: ${missing.join(', ')} is not on PATH`);

test.skipIf(missing.length > 0)('the tour of the README prints what the README says', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const script = blockAfter(readme, '## The tour', 'sh').replace('http://localhost:8787', stack.url);
  const cwd = await mkdtemp(join(tmpdir(), 'tour-'));
  try {
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd });
    expect(stdout).toBe(blockAfter(readme, '## The tour', 'text'));
  } finally {
    await rm(cwd, { recursive: true });
  }
});
