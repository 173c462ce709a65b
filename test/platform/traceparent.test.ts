import { expect, test } from 'vitest';
import { startRecord } from '../../src/platform/telemetry/record.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

test.each([
  [`00-${TRACE}-${PARENT}-01`, true],
  [`00-${TRACE}-${PARENT}-00`, false],
  [`00-${TRACE}-${PARENT}-03`, true],
  [`00-${TRACE}-${PARENT}-02`, false],
  [`01-${TRACE}-${PARENT}-01`, true],
  [`fe-${TRACE}-${PARENT}-01-what-comes-later`, true],
])('%s is joined', (traceparent, isSampledByCaller) => {
  expect(startRecord('r', traceparent)).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, isSampledByCaller });
});

test.each([
  undefined,
  '',
  `ff-${TRACE}-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-01-extra`,
  `01-${TRACE}-${PARENT}-01extra`,
  `00-${TRACE.toUpperCase()}-${PARENT}-01`,
  `00-${'0'.repeat(32)}-${PARENT}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE}-${PARENT}`,
  `00-${TRACE}-${PARENT}-0g`,
  ` 00-${TRACE}-${PARENT}-01`,
])('%j starts a trace of its own', (traceparent) => {
  const record = startRecord('r', traceparent);
  expect(record).toMatchObject({ parentSpanId: null, isSampledByCaller: false });
  expect(record.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  expect(record.traceId).not.toBe(TRACE);
});
