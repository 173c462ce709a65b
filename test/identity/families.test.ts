import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cast, startCast } from '../security/cast.ts';
import { AGE, type Door, Family, LONG_S, step } from './family.ts';
import { doorOf, withoutWorker } from './doors.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import { gate } from '../support/order-path.ts';
import type { Stack } from '../support/stack.ts';

const RUNS = process.env['TEST_DEEP'] === undefined ? 1_000 : 5_000;
const SEED = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
const STEPS_MAX = 8;
const WORKER_RUNS = 20;
const AT_ONCE = 8;

let cast: Cast;
let stack: Stack;
let worker: Door;
beforeAll(async () => {
  cast = await startCast();
  ({ stack } = cast);
  worker = doorOf(cast);
});
afterAll(() => stack.close());

/** Plays `runs` random families, some at once; what went wrong with each, the shortest first. */
async function faultsOf(door: Door, runs: number): Promise<string[]> {
  const steps = fc.array(step, { minLength: 1, maxLength: STEPS_MAX });
  const interleavings = fc.sample(steps, { numRuns: runs, seed: SEED }).values();
  const faults: string[] = [];
  const play = async (): Promise<void> => {
    for (const interleaving of interleavings) {
      const family = new Family(door, await cast.customer());
      try {
        for (const one of interleaving) await family.take(one);
        await family.end();
      } catch (error) {
        faults.push(`${JSON.stringify(interleaving)}: ${String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, play));
  return faults.toSorted((a, b) => a.length - b.length);
}

describe(`random interleavings of at most ${STEPS_MAX} steps (TEST_SEED=${SEED})`, () => {
  test(`${RUNS} of them leave no two live branches, on the rules and the database`, async () => {
    expect(await faultsOf(withoutWorker(cast), RUNS)).toEqual([]);
  });

  test(`${WORKER_RUNS} of them leave no two live branches, through the Worker`, async () => {
    expect(await faultsOf(worker, WORKER_RUNS)).toEqual([]);
  });
});

describe('two tabs that refresh at once', () => {
  const isRefresh = ({ requestBody }: Exchange) => requestBody.includes('update sessions');

  test('both get the same successor, the first one being held on its way to the database', async () => {
    const { refreshToken } = await cast.customer();
    const { opened, open } = gate();
    const held = stack.neon.inject(isRefresh, { hold_request: opened });
    const first = worker.refresh(refreshToken);
    await held.fired;
    const second = await worker.refresh(refreshToken);
    open();
    expect(second.status).toBe(200);
    expect(await first).toEqual(second);
    expect((await worker.refresh(second.successor ?? '')).status).toBe(200);
  });

  test('both get the same successor, the first one waiting for its answer', async () => {
    const { refreshToken } = await cast.customer();
    const { opened, open } = gate();
    const held = stack.neon.inject(isRefresh, { hold_reply: opened });
    const first = worker.refresh(refreshToken);
    await held.fired;
    const second = await worker.refresh(refreshToken);
    open();
    expect(second.status).toBe(200);
    expect(await first).toEqual(second);
  });

  test('get it also where the first answer was lost and the batch is sent again', async () => {
    const { refreshToken } = await cast.customer();
    stack.neon.inject(isRefresh, 'drop_reply');
    const first = await worker.refresh(refreshToken);
    expect(first.status).toBe(200);
    expect(await worker.refresh(refreshToken)).toEqual(first);
  });

  test('get none when the session is ended in between', async () => {
    const { refreshToken } = await cast.customer();
    const { opened, open } = gate();
    const held = stack.neon.inject(isRefresh, { hold_request: opened });
    const first = worker.refresh(refreshToken);
    await held.fired;
    expect(await worker.logout(refreshToken)).toBe(204);
    open();
    expect(await first).toEqual({ status: 401, successor: null });
  });

  test('lose the session, the thief with them, when the first one arrives after the grace of the second', async () => {
    const { refreshToken, sessionId } = await cast.customer();
    const { opened, open } = gate();
    const held = stack.neon.inject(isRefresh, { hold_request: opened });
    const first = worker.refresh(refreshToken);
    await held.fired;
    const second = await worker.refresh(refreshToken);
    await stack.owner.query(AGE, [sessionId, LONG_S]);
    open();
    expect(await first).toEqual({ status: 401, successor: null });
    expect((await worker.refresh(second.successor ?? '')).status).toBe(401);
  });
});
