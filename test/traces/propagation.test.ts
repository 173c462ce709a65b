import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startReceiver, type Receiver } from '../events/receiver.ts';
import { call, createSku, pay, placeOrder, readyCart, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type OtlpReceiver, type Span, startOtlpReceiver } from './receiver.ts';

const WAIT = { timeout: 30_000, interval: 20 };
const TOKEN = 'trusted-0123456789-abcdefghijklmno';
const PARENT = '00f067aa0ba902b7';

let receiver: OtlpReceiver;
let events: Receiver;
let stack: Stack;

/** A Worker that samples nothing by itself. */
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  events = await startReceiver();
  stack = await startStack({
    env: {
      TRACING_ENABLED: 'true',
      OTLP_ENDPOINT: receiver.url,
      TRACING_SAMPLING_RATE: '0',
      TRACING_SLOW_MS: '60000',
      TRACE_PROPAGATION_HOSTS: new URL(events.url).host,
      TRUSTED_TRACE_TOKEN: TOKEN,
      EVENTS_URL: events.url,
      EVENTS_SECRET: 'events-0123456789-abcdefghijklmnop',
    },
  });
  stack.provider.setWebhookMode('hold');
});
afterAll(async () => {
  await stack.close();
  await events.close();
  await receiver.close();
});

const contextOf = ({ headers }: Pick<Reply, 'headers'>) => headers.get('traceparent') ?? '';
const rootIn = (spans: Span[]) => spans.find(({ name, kind }) => name === 'tick' && kind === 1);

async function order(headers: Record<string, string> = {}): Promise<Reply> {
  const sku = await createSku(stack, { stock: 10 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  const placed = await placeOrder(stack, cart.id, pay('tok_ok'), { headers });
  expect(placed.status).toBe(201);
  return placed;
}

test('a request that is not sampled hands its context on to who is listed, flagged 00, and to nobody else', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const placed = await order({ traceparent: `00-${traceId}-${PARENT}-01` });
  const handedOn = await vi.waitFor(() => {
    const context = events.deliveries.map(({ headers }) => headers['traceparent']);
    expect(context).toHaveLength(1);
    return context[0];
  }, WAIT);
  expect(handedOn).toBe(contextOf(placed));
  expect(handedOn).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  for (const peer of [stack.payments, stack.neon, stack.redis]) {
    expect(peer.exchanges.length).toBeGreaterThan(0);
    for (const { headers } of peer.exchanges) expect(headers['traceparent']).toBeUndefined();
  }
});

test('requests at once do not mix up their contexts', async () => {
  const before = events.deliveries.length;
  const traceIds = Array.from({ length: 8 }, (_, n) => String(n + 1).repeat(32));
  const placed = await Promise.all(traceIds.map((id) => order({ traceparent: `00-${id}-${PARENT}-00` })));
  const known = new Set(placed.map(contextOf));
  // Another's deferred work may deliver an event, and then says so; never a context that is nobody's.
  await vi.waitFor(() => expect(events.deliveries.length - before).toBe(traceIds.length), WAIT);
  for (const { headers } of events.deliveries.slice(before)) expect(known).toContain(headers['traceparent']);
});

describe('a caller that asks for a trace', () => {
  const traceId = 'a'.repeat(32);
  const ask = (flags: string, headers: Record<string, string>) =>
    call(stack, 'GET', '/markets', undefined, {
      headers: { traceparent: `00-${traceId}-${PARENT}-${flags}`, ...headers },
    });

  test.each([
    ['01', {}],
    ['01', { 'x-trace-token': '' }],
    ['01', { 'x-trace-token': `${TOKEN}t` }],
    ['01', { 'x-trace-token': TOKEN.slice(1) }],
    ['01', { authorization: '' }],
    ['00', { 'x-trace-token': TOKEN }],
  ])('with %s and %j is not heard', async (flags, headers: Record<string, string>) => {
    expect(contextOf(await ask(flags, headers))).toMatch(/-00$/);
  });

  test('with the token is heard: the whole trace is exported, under its span', async () => {
    const reply = await ask('01', { 'x-trace-token': TOKEN });
    expect(contextOf(reply)).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    const spans = await receiver.traceWith(contextOf(reply).split('-')[2] ?? '');
    expect(spans.find(({ kind }) => kind === 2)?.parentSpanId).toBe(PARENT);
    expect(new Set(spans.map(({ attributes }) => attributes['db.system.name']))).toContain('redis');
    expect(receiver.posts.map(({ text }) => text).join('')).not.toContain(TOKEN);
  });
});

describe('the tick', () => {
  /** The lines and the trace of one run, which come after it. */
  async function traceOfTick(
    lineCount: number,
  ): Promise<{ outcome: string; lines: Record<string, unknown>[]; spans: Span[] }> {
    const isTick = ({ msg }: Record<string, unknown>) => String(msg).startsWith('tick');
    const before = stack.logs().filter(isTick).length;
    const { outcome } = await stack.worker.scheduled({ cron: '* * * * *' });
    return await vi.waitFor(() => {
      const traceId = stack.logs().filter(isTick)[before]?.['trace_id'];
      const lines = stack.logs().filter(({ trace_id }) => trace_id === traceId);
      const spans = receiver.spansOf(String(traceId));
      expect(lines).toHaveLength(lineCount);
      expect(rootIn(spans)).toBeDefined();
      return { outcome, lines, spans };
    }, WAIT);
  }

  test('is a trace of its own, whatever the rate: its line names the root, and its exchanges are under it', async () => {
    const { outcome, lines, spans } = await traceOfTick(1);
    const root = rootIn(spans);
    expect(outcome).toBe('ok');
    expect(lines).toMatchObject([{ msg: 'tick', level: 'info', span_id: root?.spanId }]);
    expect(root?.parentSpanId).toBeUndefined();
    expect(root?.status).toEqual({});
    const batches = spans.filter(({ name, parentSpanId }) => name === 'BATCH' && parentSpanId === root?.spanId);
    expect(batches).toHaveLength(Number(lines[0]?.['db_round_trips']));
    const statements = spans.filter(({ attributes }) => attributes['db.query.text'] !== undefined);
    expect(statements.length).toBeGreaterThan(batches.length);
    for (const { attributes } of statements) expect(attributes['db.query.text']).not.toContain('[redacted]');
  });

  test('that fails is an error in its trace and in the log, and the run is counted as failed', async () => {
    stack.neon.inject(() => true, 'drop_request', Number.POSITIVE_INFINITY);
    const { outcome, lines, spans } = await traceOfTick(8);
    stack.neon.clear();
    expect(outcome).toBe('exception');
    expect(lines.map(({ step }) => step)).toEqual([
      'orders',
      'payment_requests',
      'webhooks',
      'events',
      'reservations',
      'revocations',
      'gauges',
      'clean_up',
    ]);
    const cause = expect.stringContaining('database unreachable');
    for (const line of lines) {
      expect(line).toMatchObject({ msg: 'tick failed', level: 'error', span_id: rootIn(spans)?.spanId, cause });
    }
    expect(rootIn(spans)).toMatchObject({ status: { code: 2 }, attributes: { 'error.type': 'DatabaseUnreachable' } });
  });
});
