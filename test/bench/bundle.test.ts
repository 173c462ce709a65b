import path from 'node:path';
import { expect, test } from 'vitest';
import { buildWorkerBundle } from '../../bench/worker-bundle.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BUDGET_BYTES = 300 * 1024;

test('the production Worker stays within 300 KiB gzip, and is all accounted for', { timeout: 120_000 }, async () => {
  const bundle = await buildWorkerBundle(ROOT, 'production');
  expect(bundle.gzipBytes).toBeLessThanOrEqual(BUDGET_BYTES);
  expect(bundle.packages.map((each) => each.name)).toEqual(expect.arrayContaining(['hono', 'zod', 'src/platform']));
  const emitted = bundle.packages.reduce((all, each) => all + each.bytes, 0);
  expect(emitted / bundle.rawBytes).toBeGreaterThan(0.9);
});
