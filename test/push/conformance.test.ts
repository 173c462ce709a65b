import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';
import { CASES, LAST_CASES } from './cases.ts';
import { differences } from './conformance.ts';
import { isInstalled, type Program, startProgram } from '../support/prometheus.ts';

const TOKEN = 'token-for-pushing-metrics';
const isThere = isInstalled('prometheus-pushgateway');

let stack: Stack;
let gateway: Program;
beforeAll(async () => {
  if (!isThere) return;
  stack = await startStack({ env: { METRICS_TOKEN: TOKEN } });
  gateway = await startProgram('prometheus-pushgateway', ['--persistence.file=']);
});
afterAll(async () => {
  await gateway?.close();
  await stack?.close();
});

test.skipIf(!isThere)(
  `the Pushgateway and the Worker answer ${CASES.length + LAST_CASES.length} cases alike`,
  async () => {
    const sides = [{ url: gateway.url }, { url: stack.url, token: TOKEN }] as const;
    const found = [...(await differences(...sides, CASES)), ...(await differences(...sides, LAST_CASES))];
    expect(found.join('\n')).toBe('');
  },
);

test.skipIf(!isThere)('a side that answers otherwise is found out', async () => {
  const sides = [{ url: gateway.url }, { url: stack.url }] as const;
  const [difference] = await differences(...sides, CASES.slice(0, 1));
  expect(difference).toContain('PUT replaces the group, step 1');
});
