import { describe, expect, test } from 'vitest';
import type { OtlpSpan } from '../../src/platform/telemetry/trace/otlp.ts';
import type { PostOutcome } from '../../src/platform/telemetry/trace/post.ts';
import { SpanQueue } from '../../src/platform/telemetry/trace/queue.ts';

/** A queue whose clock, timer and receiver are in the hand of the test. */
function queueUnderTest() {
  const state = {
    nowMs: 0,
    posts: [] as number[],
    dropped: { queue_full: 0, refused: 0, unreachable: 0 },
    outcome: 'taken' as PostOutcome,
    /** What happens while a POST is under way. */
    whilePosting: () => {},
  };
  const queue = new SpanQueue({
    nowMs: () => state.nowMs,
    wait: async (ms) => void (state.nowMs += ms),
    send: async (spans) => {
      state.posts.push(spans.length);
      state.whilePosting();
      return state.outcome;
    },
    onDrop: (spans, reason) => void (state.dropped[reason] += spans),
  });
  const add = (count: number) => {
    for (let n = 0; n < count; n += 1) queue.add(span);
  };
  return { state, queue, add };
}

const span: OtlpSpan = {
  traceId: '1'.repeat(32),
  spanId: '2'.repeat(16),
  name: 'GET',
  kind: 2,
  startTimeUnixNano: '1',
  endTimeUnixNano: '2',
  attributes: [],
  events: [],
  status: {},
};

describe('the queue of spans', () => {
  test('is flushed by one request for all, once a second, in one POST', async () => {
    const { state, queue, add } = queueUnderTest();
    expect(queue.flushLater()).toBeNull();
    add(3);
    const flush = queue.flushLater();
    expect(queue.flushLater()).toBeNull();
    add(4);
    await flush?.();
    expect([state.posts, state.nowMs]).toEqual([[7], 1_000]);
    add(1);
    expect(queue.flushLater()).not.toBeNull();
  });

  test('is flushed at once when it holds a POST full', async () => {
    const { state, queue, add } = queueUnderTest();
    add(1);
    const waiting = queue.flushLater();
    add(511);
    await queue.flushLater()?.();
    expect([state.posts, state.nowMs]).toEqual([[512], 0]);
    await waiting?.();
    expect(state.posts).toEqual([512]);
  });

  test('sends what came during a POST with the next, and one POST at a time', async () => {
    const { state, queue, add } = queueUnderTest();
    state.whilePosting = () => {
      if (state.posts.length > 1) return;
      add(600);
      expect(queue.flushLater()).toBeNull();
    };
    add(1);
    await queue.flushLater()?.();
    expect(state.posts).toEqual([1, 600]);
  });

  test('is bounded while the receiver is down, and counts every span it drops', async () => {
    const { state, queue, add } = queueUnderTest();
    state.outcome = 'unreachable';
    state.whilePosting = () => add(5_000);
    add(10);
    await queue.flushLater()?.();
    expect(state.dropped).toEqual({ unreachable: 10, refused: 0, queue_full: 5_000 - 2_048 });
    state.whilePosting = () => {};
    state.outcome = 'taken';
    await queue.flushLater()?.();
    expect([state.posts, state.dropped.unreachable]).toEqual([[10, 2_048], 10]);
  });

  test('is taken over when the request that had to flush it died', async () => {
    const { state, queue, add } = queueUnderTest();
    add(1);
    expect(queue.flushLater()).not.toBeNull();
    state.nowMs += 29_999;
    expect(queue.flushLater()).toBeNull();
    state.nowMs += 1;
    await queue.flushLater()?.();
    expect(state.posts).toEqual([1]);
  });
});
