import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLogger, type Level } from '../../src/platform/telemetry/log.ts';
import { loggableId, redact } from '../../src/platform/telemetry/redact.ts';
import { startRecord } from '../../src/platform/telemetry/record.ts';

const NOW = new Date('2026-03-01T12:00:00.000Z');
const LEVELS: Level[] = ['debug', 'info', 'warn', 'error', 'fatal'];

/** What was written, with the console method that wrote it. */
let written: [method: string, line: string][];
beforeEach(() => {
  written = [];
  for (const method of ['log', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((line: string) => void written.push([method, line]));
  }
});
afterEach(() => vi.restoreAllMocks());

const logger = (LOG_LEVEL: Level = 'debug', LOG_FORMAT: 'json' | 'console' = 'json') =>
  createLogger({ LOG_LEVEL, LOG_FORMAT, SERVICE_NAME: 'shop' }, () => NOW);

describe('a log line', () => {
  test('is one JSON object on one line, whatever is in it', () => {
    const faults = [redact('a'), redact('b')];
    const fields = { cause: redact('first\nsecond'), order_id: null, user_id: undefined, status: 1, faults };
    logger().log('info', 'a "message"\n', fields);
    const line = written[0]?.[1] ?? '';
    expect(line.split('\n')).toHaveLength(1);
    expect(JSON.parse(line)).toEqual({
      level: 'info',
      timestamp: NOW.toISOString(),
      service: 'shop',
      cause: 'first\nsecond',
      order_id: null,
      status: 1,
      faults: ['a', 'b'],
      msg: 'a "message"\n',
    });
  });

  test.each(LEVELS)('below %s is not written', (lowest) => {
    for (const level of LEVELS) logger(lowest).log(level, level);
    expect(written.map(([, line]) => JSON.parse(line).level)).toEqual(LEVELS.slice(LEVELS.indexOf(lowest)));
  });

  test('carries its level to the platform', () => {
    for (const level of LEVELS) logger().log(level, level);
    expect(written.map(([method]) => method)).toEqual(['log', 'log', 'warn', 'error', 'error']);
  });

  test('for people leaves out what is empty', () => {
    logger('debug', 'console').log('warn', 'slow', {
      path: redact('/x'),
      user_id: null,
      order_id: undefined,
      status: 200,
    });
    expect(written).toEqual([['warn', 'WARN  slow path=/x status=200']]);
  });

  test.each([
    ['/x\nERROR database lost', String.raw`"/x\nERROR database lost"`],
    ['/x\u001b[2J', String.raw`"/x\u001b[2J"`],
    ['/x\u0085\u2028', String.raw`"/x\u0085\u2028"`],
    ['/a status=200 "b"', String.raw`"/a status=200 \"b\""`],
    ['/é', '/é'],
  ])('for people is one line with its own fields, also of the path %j', (path, expected) => {
    logger('debug', 'console').log('warn', 'slow', { path: redact(path) });
    expect(written).toEqual([['warn', `WARN  slow path=${expected}`]]);
  });
});

describe('a child of the log', () => {
  test('says in each line what its context says at the time, unless the line says it itself', () => {
    const ids = ['1', '2', '3'].map((digit) => loggableId(digit.repeat(16)));
    const context = { span_id: ids[0], trace_id: loggableId('4'.repeat(32)) };
    const log = logger().child(() => context);
    log.log('info', 'first');
    context.span_id = ids[1];
    log.child(() => ({ attempts: 2 })).log('info', 'second', { status: 200 });
    log.log('info', 'third', { span_id: ids[2] });
    expect(written.map(([, line]) => JSON.parse(line))).toMatchObject([
      { msg: 'first', span_id: ids[0], trace_id: context.trace_id },
      { msg: 'second', span_id: ids[1], trace_id: context.trace_id, attempts: 2, status: 200 },
      { msg: 'third', span_id: ids[2], trace_id: context.trace_id },
    ]);
  });
});

describe('traceparent (W3C Trace Context)', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
  const PARENT = '00f067aa0ba902b7';

  test('is joined when it is well-formed, under a span of its own', () => {
    const record = startRecord('r', `00-${TRACE}-${PARENT}-01`);
    expect(record.traceId).toBe(TRACE);
    expect(record.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(record.spanId).not.toBe(PARENT);
  });

  test.each([
    ['00', false],
    ['01', true],
    ['02', false],
    ['ff', true],
  ])('flags %s: sampled is %s, by the lowest bit alone', (flags, isSampled) => {
    expect(startRecord('r', `00-${TRACE}-${PARENT}-${flags}`).isSampledByCaller).toBe(isSampled);
  });

  test.each([`01-${TRACE}-${PARENT}-01`, `fe-${TRACE}-${PARENT}-01-what-comes-later`])(
    '%s, of a later version, is read as far as it is known',
    (header) => {
      const joined = { traceId: TRACE, parentSpanId: PARENT, isSampledByCaller: true };
      expect(startRecord('r', header)).toMatchObject(joined);
    },
  );

  test.each([
    undefined,
    '',
    'nonsense',
    `01-${TRACE}-${PARENT}-01extra`,
    ` 00-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-01-extra`,
    `ff-${TRACE}-${PARENT}-01`,
  ])('%s starts a new trace', (header) => {
    const [one, other] = [startRecord('r', header), startRecord('r', header)];
    expect(one.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(one.traceId).not.toBe(TRACE);
    expect(one.traceId).not.toBe(other.traceId);
  });
});
