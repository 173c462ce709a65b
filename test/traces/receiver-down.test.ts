import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { call, createSku, pay, placeOrder, readyCart } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type OtlpReceiver, startOtlpReceiver } from './receiver.ts';

const TOKEN = 'metrics-token-of-this-file';
const WAIT = { timeout: 60_000, interval: 50 };
let receiver: OtlpReceiver;
let stack: Stack;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  stack = await startStack({
    env: {
      TRACING_ENABLED: 'true',
      OTLP_ENDPOINT: receiver.url,
      TRACING_SAMPLING_RATE: '1',
      METRICS_TOKEN: TOKEN,
      METRICS_FLUSH_SECONDS: '1',
    },
  });
});
afterAll(() => stack.close());

const drops = () => stack.logs().filter(({ msg }) => msg === 'spans dropped');

/** The counter by reason, as it is scraped. */
async function counted(): Promise<Record<string, number>> {
  const reply = await stack.fetch('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } });
  const lines = (await reply.text()).matchAll(/^ecommerce_trace_spans_dropped_total\{reason="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries(Array.from(lines, ([, reason, count]) => [reason, Number(count)]));
}

async function buy(): Promise<void> {
  const sku = await createSku(stack, { stock: 10 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  expect((await placeOrder(stack, cart.id, pay('tok_ok'))).status).toBe(201);
}

describe('a receiver of traces', () => {
  test('that is busy is asked again, and nothing is lost', async () => {
    const answers = [503, 429];
    receiver.answer = () => answers.shift() ?? 200;
    const reply = await call(stack, 'GET', '/markets');
    await vi.waitFor(() => expect(receiver.posts).toHaveLength(3), WAIT);
    expect(new Set(receiver.posts.map(({ text }) => text)).size).toBe(1);
    expect(reply.status).toBe(200);
    expect(drops()).toEqual([]);
    expect(await counted()).toEqual({ queue_full: 0, refused: 0, unreachable: 0 });
  });

  test('that refuses is not asked again: the drop is counted, and the shop goes on', async () => {
    receiver.answer = () => 400;
    const before = receiver.posts.length;
    await buy();
    await vi.waitFor(() => expect(drops()[0]).toMatchObject({ level: 'warn', reason: 'refused' }), WAIT);
    const texts = receiver.posts.slice(before).map(({ text }) => text);
    expect(new Set(texts).size).toBe(texts.length);
  });

  test('that is gone costs nobody a reply', async () => {
    await receiver.close();
    const before = drops().length;
    await buy();
    await vi.waitFor(() => expect(drops().length).toBeGreaterThan(before), WAIT);
    await buy();
    expect((await call(stack, 'GET', '/markets')).status).toBe(200);
  });

  test('every span that was dropped is counted by its reason, as many as the log says', async () => {
    const logged = (of: string) =>
      drops().reduce((sum, { reason, spans }) => (reason === of ? sum + Number(spans) : sum), 0);
    await vi.waitFor(() => expect(logged('unreachable')).toBeGreaterThan(0), WAIT);
    const before = logged('unreachable');
    const counts = await vi.waitFor(async () => {
      const now = await counted();
      expect(now['unreachable']).toBeGreaterThanOrEqual(before);
      return now;
    }, WAIT);
    // A scrape is a request with spans of its own, which are dropped in their turn.
    expect(logged('unreachable')).toBeGreaterThanOrEqual(Number(counts['unreachable']));
    expect(logged('refused')).toBeGreaterThan(0);
    expect(counts).toMatchObject({ queue_full: 0, refused: logged('refused') });
  });
});
