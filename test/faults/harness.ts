import { setTimeout as sleep } from 'node:timers/promises';
import { type Cut, KINDS, type Point, pointsOf } from './cuts.ts';
import { violationsOf } from './invariants.ts';
import type { Lane } from './lanes.ts';
import { Run, Stuck } from './run.ts';
import type { Scenario } from './scenarios.ts';

const ROUNDS_MAX = 5;
/** Longer than any wait of the provider between two deliveries of a webhook. */
const LATER_MIN = 20;
const ARRIVAL_MS = 5_000;

/** One way through the shop, without a cut: every exchange, in its order, is a place to cut. */
export async function record(lane: Lane, scenario: Scenario): Promise<{ points: Point[]; violations: string[] }> {
  const run = await Run.open(lane, null);
  await walk(run, scenario);
  const points = pointsOf(run.stack);
  await recover(run);
  return { points, violations: await violationsOf(run) };
}

/** Every way to cut every exchange. */
export function cutsOf(points: readonly Point[]): Cut[] {
  return points.flatMap((point) => KINDS.map((kind) => ({ point, kind })));
}

/** A fresh buyer with one cut, then everything that mends it; what is wrong in the end. */
export async function runCase(lane: Lane, scenario: Scenario, cut: Cut): Promise<string[]> {
  const run = await Run.open(lane, cut);
  await walk(run, scenario);
  // Work after a reply may begin later than the quiet that ends a walk.
  if (!run.cut?.met()) await Promise.race([run.cut?.fired, sleep(ARRIVAL_MS)]);
  await recover(run);
  if (run.cut?.isHeld()) {
    await arrive(run);
    await recover(run);
  }
  if (!run.cut?.met()) run.violations.push('this exchange did not come');
  return await violationsOf(run);
}

async function walk(run: Run, scenario: Scenario): Promise<void> {
  try {
    await scenario.walk(run);
  } catch (error) {
    if (!(error instanceof Stuck)) throw error;
  }
  await run.idle();
}

/** What was held comes through in the end, long after anybody waited for it. */
async function arrive(run: Run): Promise<void> {
  const held = run.cut?.met();
  run.cut?.release();
  const deadline = Date.now() + ARRIVAL_MS;
  const hasArrived = () => held?.status !== undefined;
  while (!hasArrived() && Date.now() < deadline) await sleep(5);
  await run.idle();
}

/** Webhooks are delivered and the clock ticks until nothing is left to do. */
async function recover(run: Run): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    await run.webhooks();
    await run.idle();
    if (await isQuiet(run)) return;
    await run.passTime(LATER_MIN);
    await run.tick();
  }
}

async function isQuiet({ stack }: Run): Promise<boolean> {
  const { rows } = await stack.owner.query<{ left: number }>(
    `select (select count(*) from orders where status = 'pending')
       + (select count(*) from idempotency_keys where state = 'in_flight')
       + (select count(*) from payment_request_leases l where not exists (
           select from payment_transactions r where r.request_id = l.request_id and r.outcome in ('success', 'failure')))
       + (select count(*) from payment_webhook_events where applied_at is null) as left`,
  );
  return Number(rows[0]?.left) === 0;
}
