import { execFile } from 'node:child_process';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtDocument } from '../support/contract.ts';
import { startStack, type Stack } from '../support/stack.ts';

const ROOT = join(import.meta.dirname, '../..');
const ASSETS = join(ROOT, 'dist/assets');
let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

test('/openapi.json is the built document, for browsers of any origin', async () => {
  const response = await stack.fetch('/openapi.json');
  expect(response.headers.get('content-type')).toContain('application/json');
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(await response.json()).toEqual(builtDocument());
});

test('/docs works offline under a strict policy: every file is ours, and no script is inline', async () => {
  const page = await stack.fetch('/docs');
  expect(page.status).toBe(200);
  const policy = page.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(page.headers.get('x-content-type-options')).toBe('nosniff');
  const html = await page.text();
  expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\son\w+=|https?:/);
  const files = [...html.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map(([, file = '']) => file);
  expect(files).toHaveLength(4);
  for (const file of files) {
    const { status, headers } = await stack.fetch(file);
    expect([file, status]).toEqual([file, 200]);
    expect(headers.get('content-type')).toMatch(/^text\/(css|javascript)/);
  }
});

test('files are served without a round trip to anything', async () => {
  stack.neon.clear();
  stack.redis.clear();
  await stack.fetch('/docs');
  expect([stack.neon.exchanges, stack.redis.exchanges]).toEqual([[], []]);
});

test('a build of the same source touches no file, and takes away what is not built any more', async () => {
  const leftOver = join(ASSETS, 'docs/left-over.js');
  await writeFile(leftOver, '');
  const before = await changeTimes(leftOver);
  await promisify(execFile)(process.execPath, [join(ROOT, 'dev/build.ts')], { cwd: ROOT });
  expect(await changeTimes(leftOver)).toEqual(before);
  await expect(stat(leftOver)).rejects.toThrow('ENOENT');
});

async function changeTimes(except: string): Promise<Record<string, number>> {
  const entries = await readdir(ASSETS, { recursive: true, withFileTypes: true });
  const files = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  const times = files
    .filter((file) => file !== except)
    .map(async (file) => [file, (await stat(file)).mtimeMs] as const);
  return Object.fromEntries(await Promise.all(times));
}
