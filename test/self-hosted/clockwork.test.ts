import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../observability/programs.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { startReplica, workerdOf, type Replica } from './replica.ts';

let stack: Stack;
let replica: Replica;
beforeAll(async () => {
  stack = await startStack();
  replica = await startReplica({ env: { ...stack.bindings, TICK_INTERVAL: '1' } });
});
afterAll(async () => {
  await replica.close();
  await stack.close();
});

const ticks = () => replica.logs().filter(({ msg }) => msg === 'tick');
const moreTicks = async (count: number): Promise<void> => {
  const before = ticks().length;
  await until(`${count} ticks`, 30_000, () => (ticks().length >= before + count ? true : undefined));
};

async function oldKey(): Promise<string> {
  const key = randomUUID();
  await stack.owner.query(
    `insert into idempotency_keys (scope, key, request_hash, state, attempt, lease_until, created_at)
     values ('test', $1, 'hash', 'done', $2, now(), now() - interval '100 days')`,
    [key, randomUUID()],
  );
  return key;
}

const isGone = (key: string) =>
  until('the key is gone', 30_000, async () => {
    const { rowCount } = await stack.owner.query('select from idempotency_keys where key = $1', [key]);
    return rowCount === 0 ? true : undefined;
  });

test('the alarm ticks by itself, again and again', async () => {
  await isGone(await oldKey());
  await moreTicks(2);
  expect(ticks()[0]).toMatchObject({ level: 'info', events_delivered: 0 });
});

test('a tick that fails is logged, and the next one comes', async () => {
  stack.neon.inject(() => true, 'drop_request', 20);
  const failure = await until('a failure', 30_000, () => replica.logs().find(({ msg }) => msg === 'tick failed'));
  expect(failure['level']).toBe('error');
  stack.neon.clear();
  await moreTicks(1);
});

test('the clock outlives its process, and does not tick twice as often then', async () => {
  process.kill(workerdOf(replica), 'SIGKILL');
  await until('it is back', 30_000, () => replica.logs().find(({ msg }) => msg === 'worker started again'));
  await isGone(await oldKey());
  const times = ticks().map(({ timestamp }) => Date.parse(String(timestamp)));
  await moreTicks(7);
  const later = ticks().map(({ timestamp }) => Date.parse(String(timestamp)));
  // A line is written when its tick is done: on average they are a second apart, and half of one if there were two clocks.
  // The first tick of a new process takes longest, and is left out.
  const [first = 0, ...since] = later.slice(times.length + 1);
  expect(((since.at(-1) ?? 0) - first) / since.length).toBeGreaterThan(700);
});
