import { uncompress } from 'snappyjs';
import { expect, test, vi } from 'vitest';
import { RemoteWriter } from '../../src/platform/telemetry/remote-write/writer.ts';
import type { Family } from '../../src/platform/telemetry/metrics/family.ts';
import { openSql } from '../support/sql.ts';
import { decodeWriteRequest } from './schema.ts';

interface Sent {
  body: Uint8Array;
  headers: Headers;
}

/** A receiver that answers what it was told to, a clock that is set, and a count that grows with each snapshot. */
function setUp() {
  const sql = openSql();
  const sent: Sent[] = [];
  const reports: string[] = [];
  const world = { nowMs: 1_000_000, snapshots: 0, answers: [] as (Response | Error | 'never')[] };
  const families = async (): Promise<Family[]> => {
    world.snapshots += 1;
    const samples = [{ name: 'seen_total', labels: {}, value: world.snapshots }];
    return [{ name: 'seen_total', help: 'Seen.', type: 'counter', samples }];
  };
  const start = () =>
    new RemoteWriter({
      sql,
      target: {
        url: 'https://receiver.test/push',
        username: 'me',
        password: 'pä',
        userAgent: 'shop/1',
        externalLabels: {},
      },
      families,
      nowMs: () => world.nowMs,
      fetch: async (_url, init) => {
        sent.push({ body: new Uint8Array(init.body as Uint8Array), headers: new Headers(init.headers) });
        const answer = world.answers.shift() ?? new Response(null, { status: 204 });
        if (answer instanceof Error) throw answer;
        if (answer === 'never') return await endOf(init.signal);
        return answer;
      },
      report: (level, message) => reports.push(`${level} ${message}`),
    });
  return { world, sent, reports, start };
}

/** What fetch does when nothing comes: it rejects once it is told to stop. */
function endOf(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
}

const answer = (status: number, headers: Record<string, string> = {}) =>
  new Response(status === 204 ? null : 'why', { status, headers });
const sampleOf = ({ body }: Sent) => decodeWriteRequest(uncompress(body)).timeseries[0]?.samples[0];

test('a minute after a snapshot was taken comes the next, later in time', async () => {
  const { world, sent, start } = setUp();
  const writer = start();
  expect(await writer.run()).toBe(world.nowMs + 60_000);
  world.nowMs += 60_000;
  await writer.run();
  expect(sent.map(sampleOf)).toEqual([
    { value: 1, timestamp: 1_000_000 },
    { value: 2, timestamp: 1_060_000 },
  ]);
  const headers = Object.fromEntries(sent[0]?.headers ?? []);
  expect(headers).toEqual({
    authorization: `Basic ${Buffer.from('me:pä').toString('base64')}`,
    'content-encoding': 'snappy',
    'content-type': 'application/x-protobuf',
    'user-agent': 'shop/1',
    'x-prometheus-remote-write-version': '0.1.0',
  });
});

test('what was not taken is resent as it was, later each time, also by a new object, and nothing newer overtakes it', async () => {
  const { world, sent, reports, start } = setUp();
  world.answers = [answer(500), new TypeError('connection lost'), answer(503), answer(204)];
  const waits: number[] = [];
  for (let tries = 0; tries < 4; tries += 1) {
    const next = await start().run();
    waits.push(next - world.nowMs);
    world.nowMs = next;
  }
  expect(waits).toEqual([5_000, 10_000, 20_000, 60_000]);
  expect(sent.map(({ body }) => Buffer.from(body).toString('hex'))).toEqual(
    Array.from({ length: 4 }, () => Buffer.from(sent[0]?.body ?? []).toString('hex')),
  );
  expect(world.snapshots).toBe(1);
  expect(reports).toEqual(Array.from({ length: 3 }, () => 'warn remote write will be sent again'));
});

test('an alarm that comes early sends nothing', async () => {
  const { world, sent, start } = setUp();
  world.answers = [answer(500)];
  const writer = start();
  const due = await writer.run();
  world.nowMs = due - 1;
  expect(await writer.run()).toBe(due);
  expect(sent.length).toBe(1);
});

test.each([
  ['seconds', { 'retry-after': '120' }, 120_000],
  ['a date', { 'retry-after': new Date(1_000_000 + 90_000).toUTCString() }, 90_000],
  ['more than an hour', { 'retry-after': '86400' }, 3_600_000],
  ['less than the backoff', { 'retry-after': '1' }, 5_000],
  ['nonsense', { 'retry-after': 'soon' }, 5_000],
])('Retry-After: %s', async (_name, headers, waitMs) => {
  const { world, start } = setUp();
  world.answers = [answer(429, headers)];
  expect((await start().run()) - world.nowMs).toBe(waitMs);
});

test('the backoff has an end', async () => {
  const { world, start } = setUp();
  const writer = start();
  let waitMs = 0;
  for (let tries = 0; tries < 12; tries += 1) {
    world.answers = [answer(500)];
    const next = await writer.run();
    waitMs = next - world.nowMs;
    world.nowMs = next;
  }
  expect(waitMs).toBe(300_000);
});

test.each([400, 401, 404, 302])('%i is final: the snapshot is dropped and the next is a new one', async (status) => {
  const { world, sent, reports, start } = setUp();
  world.answers = [answer(status)];
  const writer = start();
  expect(await writer.run()).toBe(world.nowMs + 60_000);
  expect(reports).toEqual(['error remote write was refused']);
  await writer.run();
  expect(sent.map((each) => sampleOf(each)?.value)).toEqual([1, 2]);
});

test('pushNow reports what it sent; at the same millisecond time still goes on', async () => {
  const { world, sent, start } = setUp();
  const writer = start();
  const report = await writer.pushNow();
  expect(report).toEqual({ series: 1, bytes: sent[0]?.body.length, status: 204, outcome: 'taken' });
  await writer.pushNow();
  expect(sent.map((each) => sampleOf(each)?.timestamp)).toEqual([1_000_000, 1_000_001]);
  world.answers = [answer(503), answer(204), answer(204)];
  expect(await writer.pushNow()).toMatchObject({ status: 503, outcome: 'kept' });
  expect(await writer.pushNow()).toMatchObject({ status: 204, outcome: 'taken' });
  expect(sent.map((each) => sampleOf(each)?.value)).toEqual([1, 2, 3, 3, 4]);
});

test('pushes at once are one after the other, each sent once', async () => {
  const { sent, start } = setUp();
  const writer = start();
  await Promise.all([writer.run(), writer.pushNow(), writer.pushNow()]);
  const times = sent.map((each) => sampleOf(each)?.timestamp);
  expect(new Set(times).size).toBe(times.length);
});

test('an answer that does not come in time is as none; one that does leaves no timer behind', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { world, start } = setUp();
    const writer = start();
    expect(await writer.pushNow()).toMatchObject({ outcome: 'taken' });
    expect(vi.getTimerCount()).toBe(0);
    world.answers = ['never'];
    const sending = writer.pushNow();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await sending).toMatchObject({ status: null, outcome: 'kept' });
  } finally {
    vi.useRealTimers();
  }
});
