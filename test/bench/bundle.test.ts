import path from 'node:path';
import { expect, test } from 'vitest';
import { buildWorkerBundle } from '../../bench/worker-bundle.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** Stripe's own SDK is 36 KiB of them; it is evaluated when a payment first needs it, so the start does not pay for it. */
const BUDGET_BYTES = 360 * 1024;

test('the production Worker stays within 360 KiB gzip, and is all accounted for', { timeout: 120_000 }, async () => {
  const bundle = await buildWorkerBundle(ROOT, 'production');
  expect(bundle.gzipBytes).toBeLessThanOrEqual(BUDGET_BYTES);
  expect(bundle.packages.map((each) => each.name)).toEqual(expect.arrayContaining(['hono', 'zod', 'src/platform']));
  const emitted = bundle.packages.reduce((all, each) => all + each.bytes, 0);
  expect(emitted / bundle.rawBytes).toBeGreaterThan(0.9);
});
