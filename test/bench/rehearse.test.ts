import { describe, expect, test } from 'vitest';
import { arrivalsOf, byPhase } from '../../bench/rehearse/arrivals.ts';
import { chosen, SCENARIOS } from '../../bench/rehearse/catalogue.ts';
import { statusesOf, trafficOf } from '../../bench/rehearse/client.ts';
import { drawTraffic } from '../../bench/rehearse/plot.ts';
import { describe as describeResult, hasPassed, summary } from '../../bench/rehearse/report.ts';
import { check, none, patienceMs, timely } from '../../bench/rehearse/scenario.ts';

const NAMES = [
  'flash-sale',
  'redis-down',
  'postgres-restarted',
  'slow-provider',
  'replica-killed',
  'clock-skew',
  'log-sink-down',
  'ten-times-traffic',
];

test('all rehearsals are there, and all of them together may take ten minutes at most', () => {
  expect(SCENARIOS.map(({ name }) => name)).toEqual(NAMES);
  expect(chosen([])).toBe(SCENARIOS);
  expect(chosen(['redis-down']).map(({ name }) => name)).toEqual(['redis-down']);
  expect(() => chosen(['redis-up'])).toThrow('No rehearsal redis-up. There are: flash-sale, ');
  expect(SCENARIOS.reduce((sum, { secondsMax }) => sum + secondsMax, 0)).toBeLessThan(10 * 60);
});

describe('the report', () => {
  const scenario = { name: 'one', what: 'something breaks' };
  const traffic = { requests: 3, failures: 1, p50Ms: 1.25, p95Ms: 20 };
  const result = (holds: boolean) => ({
    scenario,
    seconds: 2,
    outcome: { checks: [check('nothing', 1, holds)], traffic, orders: 2, stockLeft: null },
    fault: null,
  });

  test('says what was expected, what was seen and whether it holds', () => {
    expect(describeResult(result(false))).toBe(
      'one (2 s): something breaks\n  expected          seen\n  nothing   FAILED  1',
    );
    expect([hasPassed(result(true)), hasPassed(result(false))]).toEqual([true, false]);
    expect(
      summary([result(true)])
        .split('\n')[1]
        ?.split(/ +/),
    ).toEqual('one 3 1 1.3 20.0 2 - 2 passed'.split(' '));
  });

  test('a rehearsal that ended early has failed, with its reason', () => {
    const broken = { scenario, seconds: 1, outcome: null, fault: 'took longer than 60 s' };
    expect(describeResult(broken)).toContain('failed: took longer than 60 s');
    expect(hasPassed(broken)).toBe(false);
    expect(summary([broken])).toContain('FAILED');
  });

  test('a latency is not judged where the machine was busy beforehand, and that is said', () => {
    expect(timely({ busyWith: null }, 'soon', 20, 30)).toMatchObject({ seen: '20 ms', holds: true });
    expect(timely({ busyWith: null }, 'soon', 40, 30)).toMatchObject({ seen: '40 ms', holds: false });
    expect(timely({ busyWith: 'load 9' }, 'soon', 40, 30)).toMatchObject({
      seen: '40 ms, not judged: load 9',
      holds: true,
    });
  });

  test('names the first faults of many', () => {
    expect(none('no fault', [])).toMatchObject({ seen: 'none', holds: true });
    expect(none('no fault', ['a', 'b', 'c', 'd'])).toMatchObject({ seen: 'a; b; c and 1 more', holds: false });
  });
});

describe('traffic', () => {
  const RATE = 20;
  const phases = [
    { name: 'calm', seconds: 2, times: 1 },
    { name: 'rush', seconds: 3, times: 10 },
  ];

  test('ten times as many arrive, evenly, of ten times as many people', () => {
    const arrivals = arrivalsOf(phases, RATE);
    const rush = arrivals.filter(({ atMs }) => atMs >= 2_000);
    expect([arrivals.length - rush.length, rush.length]).toEqual([2 * RATE, 30 * RATE]);
    expect((rush[1]?.atMs ?? 0) - (rush[0]?.atMs ?? 0)).toBeCloseTo(1000 / (10 * RATE));
    const people = (some: typeof arrivals) => new Set(some.map(({ address }) => address)).size;
    expect(people(rush)).toBeGreaterThan(9 * people(arrivals.filter(({ atMs }) => atMs < 2_000)));
  });

  test('is counted in the phase in which it was due, with what was waited for', () => {
    const sample = (atMs: number, status: number | null) => ({ path: '/', atMs, tookMs: atMs / 100, status });
    const samples = [sample(1_000, 200), sample(2_500, 201), sample(4_000, null), sample(4_100, 503)];
    expect(byPhase(phases, samples, 500).map((phase) => phase.length)).toEqual([1, 3]);
    expect(trafficOf(samples)).toEqual({ requests: 4, failures: 2, p50Ms: 25, p95Ms: 40 });
    expect(statusesOf(samples)).toBe('200 x 1, 201 x 1, broken x 1, 503 x 1');
    expect([patienceMs(20), patienceMs(400)]).toEqual([300, 800]);
  });

  test('is drawn from zero, the objective too', () => {
    const svg = drawTraffic([{ requests: 20, p50Ms: 5, p95Ms: 60 }], { title: 'a < b', objectiveMs: 300 });
    expect(svg).toContain('a &lt; b');
    expect(svg).toContain('>0 ms<');
    expect(svg).not.toContain('NaN');
  });
});
