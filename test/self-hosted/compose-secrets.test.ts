import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../observability/programs.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Where the documentation lets people write secrets, and where they may end up by mistake. */
const SECRETS = [
  'deploy/.env',
  'shop.env',
  'secrets.env',
  'secret.yaml',
  'deploy/kubernetes/secret.yaml',
  'deploy/certs/ca.key',
];

test('git keeps no secret', () => {
  const ignored = run('git', ['-C', ROOT, 'check-ignore', '--no-index', ...SECRETS]);
  expect(ignored.trim().split('\n')).toEqual(SECRETS);
});

test.each(['Dockerfile', 'services/Dockerfile'])('the context of %s has none', (file) => {
  const patterns = readFileSync(join(ROOT, 'deploy', `${file}.dockerignore`), 'utf8')
    .trim()
    .split('\n');
  const expressions = patterns.map((pattern) => {
    const source = pattern
      .replaceAll('.', '\\.')
      .replaceAll('**/', '(.*\\/)?')
      .replaceAll(/(?<!\.)\*/g, '[^/]*');
    return new RegExp(`^${source}(/|$)`);
  });
  for (const secret of SECRETS)
    expect(
      expressions.some((expression) => expression.test(secret)),
      secret,
    ).toBe(true);
  for (const needed of ['package.json', 'deploy/image/build.ts', 'src/index.ts', 'dev/env.ts']) {
    expect(
      expressions.some((expression) => expression.test(needed)),
      needed,
    ).toBe(false);
  }
});
