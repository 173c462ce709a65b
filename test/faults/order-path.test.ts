import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cutsOf, record, runCase } from './harness.ts';
import { type Lane, spread, startLane } from './lanes.ts';
import { SCENARIOS } from './scenarios.ts';

const LANES = 4;
const lanes: Lane[] = [];
let cuts = 0;
let points = 0;

beforeAll(async () => {
  lanes.push(...(await Promise.all(Array.from({ length: LANES }, () => startLane()))));
  // Whatever happens only once in a Worker's life is over before anything is recorded.
  await Promise.all(lanes.map((lane) => Promise.all(SCENARIOS.slice(0, 1).map((scenario) => record(lane, scenario)))));
});
afterAll(async () => {
  console.log(`${points} exchanges were recorded, ${cuts} cuts were made`);
  for (const { stack } of lanes) await stack.close();
});

describe('one cut of any exchange, in every way, and all is well in the end', () => {
  test.each(SCENARIOS)('$name', { timeout: 900_000 }, async (scenario) => {
    const [lane] = lanes;
    if (!lane) throw new Error('no lane');
    const clean = await record(lane, scenario);
    expect(clean.violations).toEqual([]);
    const all = cutsOf(clean.points);
    console.log(`${scenario.name}: ${clean.points.length} exchanges, ${all.length} cuts`);
    points += clean.points.length;
    cuts += all.length;
    const found = await spread(lanes, all, async (one, cut) => ({
      cut,
      violations: await runCase(one, scenario, cut),
    }));
    const bad = found.filter(({ violations }) => violations.length > 0);
    expect(bad.map(({ cut, violations }) => [`${cut.point.label}, ${cut.kind}`, ...violations])).toEqual([]);
  });
});
