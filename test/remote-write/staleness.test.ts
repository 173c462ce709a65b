import { uncompress } from 'snappyjs';
import { expect, test } from 'vitest';
import { SentSeries } from '../../src/platform/telemetry/remote-write/sent-series.ts';
import { RemoteWriter } from '../../src/platform/telemetry/remote-write/writer.ts';
import type { SeriesLabels } from '../../src/platform/telemetry/remote-write/encode.ts';
import { openSql } from '../support/sql.ts';
import { decodeWriteRequest } from './schema.ts';

/** A receiver with the given answers, and a shop whose series are set; each send is by a new object. */
function setUp() {
  const sql = openSql();
  const world = { nowMs: 1_000_000, series: [] as string[], cluster: 'a', answers: [] as number[] };
  const bodies: Uint8Array[] = [];
  const send = () => {
    const writer = new RemoteWriter({
      sql,
      target: { url: 'https://receiver.test/push', userAgent: 'shop/1', externalLabels: { cluster: world.cluster } },
      families: async () =>
        world.series.map((name) => ({ name, help: '', type: 'gauge', samples: [{ name, labels: {}, value: 1 }] })),
      nowMs: () => world.nowMs,
      fetch: async (_url, init) => {
        bodies.push(new Uint8Array(init.body as Uint8Array));
        return new Response(null, { status: world.answers.shift() ?? 204 });
      },
      report: () => undefined,
    });
    world.nowMs += 1_000;
    return writer.pushNow();
  };
  const sent = () => bodies.map((body) => decodeWriteRequest(uncompress(body)).timeseries.map(show));
  const rows = () => sql.exec('select body from remote_write_series').toArray();
  return { world, bodies, send, sent, rows };
}

type TimeSeries = ReturnType<typeof decodeWriteRequest>['timeseries'][number];

/** `x@a` is a value of x in cluster a, `-x@a` its end. */
function show({ labels, samples }: TimeSeries): string {
  const byName = Object.fromEntries(labels.map(({ name, value }) => [name, value]));
  return `${Number.isNaN(samples[0]?.value) ? '-' : ''}${byName['__name__']}@${byName['cluster']}`;
}

test('a series that is gone is ended once, and begins anew when it comes back', async () => {
  const { world, send, sent, rows } = setUp();
  for (const series of [['x', 'y'], ['x'], ['x'], ['x', 'y'], ['y']]) {
    world.series = series;
    await send();
  }
  expect(sent()).toEqual([['x@a', 'y@a'], ['x@a', '-y@a'], ['x@a'], ['x@a', 'y@a'], ['y@a', '-x@a']]);
  expect(rows().length).toBe(1);
});

test('the report counts markers with the samples', async () => {
  const { world, send } = setUp();
  world.series = ['x', 'y'];
  await send();
  world.series = [];
  expect(await send()).toMatchObject({ series: 2, outcome: 'taken' });
});

test('a marker is part of the frozen body: resent as it was, and not made again', async () => {
  const { world, bodies, send, sent } = setUp();
  world.series = ['x', 'y'];
  await send();
  world.series = ['x'];
  world.answers = [503, 503];
  expect(await send()).toMatchObject({ outcome: 'kept' });
  expect(await send()).toMatchObject({ outcome: 'kept' });
  world.series = [];
  await send();
  expect(sent()).toEqual([['x@a', 'y@a'], ['x@a', '-y@a'], ['x@a', '-y@a'], ['x@a', '-y@a'], ['-x@a']]);
  expect(new Set(bodies.slice(1, 4).map((body) => Buffer.from(body).toString('hex'))).size).toBe(1);
});

test('a marker that was refused is tried again, for as long as a query would show the series', async () => {
  const { world, send, sent } = setUp();
  world.series = ['x', 'y'];
  await send();
  world.series = ['x'];
  world.answers = [400, 400];
  await send();
  await send();
  await send();
  world.series = [];
  world.answers = [400];
  await send();
  world.nowMs += 5 * 60_000;
  await send();
  expect(sent()).toEqual([['x@a', 'y@a'], ['x@a', '-y@a'], ['x@a', '-y@a'], ['x@a', '-y@a'], ['-x@a'], []]);
});

test('with other external labels the series under the old ones end', async () => {
  const { world, send, sent } = setUp();
  world.series = ['x'];
  await send();
  world.cluster = 'b';
  await send();
  expect(sent()[1]).toEqual(['x@b', '-x@a']);
});

test('more series than a row holds are remembered in part', () => {
  const sent = new SentSeries(openSql());
  const many = Array.from({ length: 40_000 }, (_, index): SeriesLabels => [
    ['__name__', 'many'],
    ['n', `${index} ${'é'.repeat(20)}`],
  ]);
  const vanished = sent.compare(many, 0);
  expect(new TextEncoder().encode(vanished.row).byteLength).toBeLessThan(1_900_000);
  sent.save(vanished);
  expect(sent.compare([], 1).stale.length).toBe(20_000);
});
