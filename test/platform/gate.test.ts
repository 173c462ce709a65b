import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/platform/clock.ts';
import { DatabaseUnreachable } from '../../src/platform/db/errors.ts';
import { createGate } from '../../src/platform/db/gate.ts';

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const ROOM = 3;

describe('the gate', () => {
  test('lets as many in as there is room for, and the others in the order they came', async () => {
    const enter = createGate(ROOM, systemClock);
    const order: number[] = [];
    let inside = 0;
    let most = 0;
    const visit = async (visitor: number) => {
      const { leave } = await enter(2_000);
      most = Math.max(most, (inside += 1));
      order.push(visitor);
      await wait(5);
      inside -= 1;
      leave();
    };
    const visitors = Array.from({ length: 20 }, (_, index) => index);
    await Promise.all(visitors.map((visitor) => visit(visitor)));
    expect(order.toSorted((a, b) => a - b)).toEqual(visitors);
    // Those for whom there is room at once may come in either order.
    for (const [at, visitor] of order.entries()) expect(Math.abs(at - visitor)).toBeLessThan(ROOM);
    expect(most).toBe(ROOM);
  });

  test('turns away who waited too long, and tells the others what is left of their time', async () => {
    const enter = createGate(1, systemClock);
    const first = await enter(5_000);
    expect(first.leftMs).toBeGreaterThan(4_900);
    await expect(enter(150)).rejects.toBeInstanceOf(DatabaseUnreachable);
    const second = enter(5_000);
    await wait(300);
    first.leave();
    expect((await second).leftMs).toBeLessThan(4_750);
  });

  test('a place that nobody left is free again when its time is over', async () => {
    let nowMs = 0;
    const enter = createGate(1, { now: () => new Date(nowMs) });
    await enter(1_000);
    nowMs = 1_900;
    await expect(enter(0)).rejects.toBeInstanceOf(DatabaseUnreachable);
    nowMs = 2_001;
    await expect(enter(0)).resolves.toBeDefined();
  });
});
