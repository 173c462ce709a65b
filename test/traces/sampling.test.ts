import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isSampled } from '../../src/platform/telemetry/sampling.ts';
import { call, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type OtlpReceiver, startOtlpReceiver } from './receiver.ts';

/** The nth trace id of a fixed seed. */
const traceIdOf = (n: number): string => createHash('sha256').update(`trace ${n}`).digest('hex').slice(0, 32);
const traceIds = (count: number) => Array.from({ length: count }, (_, n) => traceIdOf(n));

describe('the share that is sampled', () => {
  test('is one exact number for 20,000 trace ids of a fixed seed', () => {
    expect(traceIds(20_000).filter((id) => isSampled(id, 0.1))).toHaveLength(2008);
  });

  test('is all at 1 and none at 0', () => {
    const edges = ['0'.repeat(32), 'f'.repeat(32), `${'f'.repeat(18)}${'0'.repeat(14)}`];
    for (const id of edges) expect([isSampled(id, 1), isSampled(id, 0)]).toEqual([true, false]);
  });

  test('is read from the random bits of the id, and a higher rate keeps what a lower one keeps', () => {
    const ids = traceIds(2_000);
    for (const id of ids) {
      expect(isSampled(`${'0'.repeat(18)}${id.slice(18)}`, 0.1)).toBe(isSampled(id, 0.1));
      if (isSampled(id, 0.1)) expect(isSampled(id, 0.5)).toBe(true);
    }
  });
});

describe('a Worker that samples a tenth', () => {
  const REQUESTS = 600;
  let receiver: OtlpReceiver;
  let stack: Stack;
  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    const env = {
      TRACING_ENABLED: 'true',
      TRACING_EXPORTER: 'jaeger',
      JAEGER_ENDPOINT: receiver.url,
      TRACING_SAMPLING_RATE: '0.1',
      TRACING_SLOW_MS: '20000',
      LOG_SAMPLE: '0',
    };
    stack = await startStack({ env });
  });
  afterAll(async () => {
    await stack.close();
    await receiver.close();
  });

  const send = (traceId: string, flags: string, path = '/markets'): Promise<Reply> =>
    call(stack, 'GET', path, undefined, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}` } });
  const flagsOf = ({ headers }: Reply) => headers.get('traceparent')?.split('-')[3];

  /** When this trace has arrived, so has everything that was queued before it. */
  async function drain(): Promise<void> {
    const sampled = traceIds(1_000).findLast((id) => isSampled(id, 0.1)) ?? '';
    const spanId = (await send(sampled, '00')).headers.get('traceparent')?.split('-')[2] ?? '';
    await receiver.traceWith(spanId);
  }

  test('exports exactly those that the trace ids name, whatever the callers flag, and the replies tell the truth', async () => {
    const ids = traceIds(REQUESTS);
    const replies: [string, Reply][] = [];
    for (let from = 0; from < ids.length; from += 20) {
      const some = ids.slice(from, from + 20);
      // Every caller asks for the opposite of what will be decided.
      const sent = some.map(async (id): Promise<[string, Reply]> => [
        id,
        await send(id, isSampled(id, 0.1) ? '00' : '01'),
      ]);
      replies.push(...(await Promise.all(sent)));
    }
    await drain();
    const expected = ids.filter((id) => isSampled(id, 0.1));
    const exported = new Set(receiver.spans().map(({ traceId }) => traceId));
    expect(ids.filter((id) => exported.has(id))).toEqual(expected);
    for (const [id, reply] of replies) expect(flagsOf(reply)).toBe(isSampled(id, 0.1) ? '01' : '00');
  });

  test('exports nothing of a healthy request that was not sampled, and one server span of one that failed', async () => {
    const unsampled = traceIds(5_000).filter((id, n) => n > 1_000 && !isSampled(id, 0.1));
    const [healthy = '', missing = '', failed = ''] = unsampled;
    const before = receiver.posts.length;
    await send(healthy, '01');
    expect((await send(missing, '01', '/products/nope')).status).toBe(404);
    stack.neon.inject(() => true, 'drop_request', 9);
    const down = await send(failed, '00');
    stack.neon.clear();
    expect([down.status, flagsOf(down)]).toEqual([503, '01']);
    const spanId = down.headers.get('traceparent')?.split('-')[2] ?? '';
    const spans = await receiver.traceWith(spanId);
    expect(spans).toMatchObject([
      {
        name: 'GET /api/v1/markets',
        parentSpanId: '00f067aa0ba902b7',
        status: { code: 2 },
        attributes: { 'http.response.status_code': 503, 'ecommerce.error.code': 'dependency_unavailable' },
      },
    ]);
    await drain();
    expect([receiver.spansOf(healthy), receiver.spansOf(missing)]).toEqual([[], []]);
    expect(receiver.posts.length).toBeGreaterThan(before);
  });

  test('keeps the log line of every trace, however few lines are kept', async () => {
    const kept = traceIds(3_000).find((id, n) => n > 2_000 && isSampled(id, 0.1)) ?? '';
    await send(kept, '00');
    await vi.waitFor(
      () => {
        expect(stack.logs().filter(({ trace_id, method }) => trace_id === kept && method === 'GET')).toHaveLength(1);
      },
      { timeout: 30_000 },
    );
  });
});

describe('a Worker that calls 50 ms slow', () => {
  let receiver: OtlpReceiver;
  let stack: Stack;
  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    stack = await startStack({
      env: {
        TRACING_ENABLED: 'true',
        OTLP_ENDPOINT: receiver.url,
        TRACING_SAMPLING_RATE: '0',
        TRACING_SLOW_MS: '50',
      },
    });
  });
  afterAll(async () => {
    await stack.close();
    await receiver.close();
  });

  test('exports one server span of a slow request that was not sampled', async () => {
    const held = Promise.withResolvers<void>();
    const { fired } = stack.neon.inject(() => true, { hold_reply: held.promise });
    const asked = call(stack, 'GET', '/markets?slow=yes');
    await fired;
    setTimeout(held.resolve, 120);
    const reply = await asked;
    const [, traceId, spanId, flags] = reply.headers.get('traceparent')?.split('-') ?? [];
    expect([reply.status, flags]).toEqual([200, '01']);
    const spans = await receiver.traceWith(String(spanId));
    expect(spans).toMatchObject([{ traceId, name: 'GET /api/v1/markets', status: {} }]);
    const [{ startTimeUnixNano, endTimeUnixNano } = { startTimeUnixNano: 0, endTimeUnixNano: 0 }] = spans;
    expect(Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6).toBeGreaterThanOrEqual(50);
  });
});
