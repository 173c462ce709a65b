import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './support/longest-first.ts';

/** Pure functions and source checks: they must not wait for a database to start. */
const WITHOUT_STACK = [
  'test/architecture/**/*.test.ts',
  'test/pricing/**/*.test.ts',
  'test/orders/rules/**/*.test.ts',
  'test/platform/**/*.test.ts',
  'test/observability/**/*.test.ts',
  'test/self-hosted/{compose,kubernetes}*.test.ts',
];

const common = {
  pool: 'forks' as const,
  // Generous: a slow machine must not fail a test. No test asserts a duration.
  testTimeout: 120_000,
  hookTimeout: 180_000,
  teardownTimeout: 60_000,
  expect: { poll: { timeout: 30_000 } },
};

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { ...common, name: 'unit', include: WITHOUT_STACK } },
      {
        extends: true,
        test: {
          ...common,
          name: 'stack',
          include: ['test/**/*.test.ts'],
          exclude: WITHOUT_STACK,
          globalSetup: 'test/support/global-setup.ts',
          // Each file brings its own workerd and proxies: more at once than cores only makes them wait.
          maxWorkers: 2,
          env: { WRANGLER_LOG: 'error', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
        },
      },
    ],
  },
});
