import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { violations } from './violations.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

test('this repository keeps its own rules', () => {
  const files = projectFiles();
  expect(files.has('package.json')).toBe(true);
  expect(files.has('src/platform/money.ts')).toBe(true);
  expect(violations(files)).toEqual([]);
});

/** Every file that git would keep, with the text of the TypeScript ones. */
function projectFiles(): Map<string, string> {
  const ignored = readFileSync(path.join(ROOT, '.gitignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/\/$/, ''));
  const isKept = (name: string) => name !== '.git' && !ignored.some((pattern) => path.matchesGlob(name, pattern));
  const walk = (folder: string): string[] =>
    readdirSync(path.join(ROOT, folder), { withFileTypes: true })
      .filter((entry) => isKept(entry.name))
      .flatMap((entry) => {
        const name = path.posix.join(folder, entry.name);
        return entry.isDirectory() ? walk(name) : [name];
      });
  return new Map(
    walk('').map((name) => [name, name.endsWith('.ts') ? readFileSync(path.join(ROOT, name), 'utf8') : '']),
  );
}
