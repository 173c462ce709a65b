import { describe, expect, test } from 'vitest';
import type { Kind } from './cuts.ts';
import { record, runCase } from './harness.ts';
import { startLane } from './lanes.ts';
import { buildMutant, type Patch } from './mutant.ts';
import { SCENARIOS } from './scenarios.ts';

interface Mutation {
  name: string;
  patches: readonly Patch[];
  /** What is taken from the database. */
  sql?: string;
  scenario: string;
  /** By label. */
  point: RegExp;
  kind: Kind;
  /** What the harness has to say; null when it has nothing to say. */
  violation: RegExp | null;
}

const QUERIES = 'src/domains/checkout/queries.ts';
const BATCH_1 = /insert into orders/;
const CHARGE = /POST \/v1\/payment_intents$/;
const WITH_KEY = 'an order whose money is only authorized';
const WITHOUT_KEY = 'an order without a key';
const DROP_INDEX = 'drop index orders_live_cart';
/** The cart's own state and version would refuse a second order before the index does. */
const NO_CART_GUARDS: readonly Patch[] = [
  { file: QUERIES, from: `require(c.status = 'open',`, to: 'require(true,' },
  { file: QUERIES, from: 'require(c.version = ${cart.version}::int,', to: 'require(true,' },
];

const MUTATIONS: readonly Mutation[] = [
  {
    name: 'without the fence a worker that was overtaken finishes the order again',
    patches: [{ file: QUERIES, from: `select require(count(*) = 1, 'fence_lost')`, to: 'select require(true, null)' }],
    scenario: 'an order without a key',
    point: /update payments, update reservations/,
    kind: 'overtaken while it waits',
    violation: /captured, the provider|order\.placed is told 2 times/,
  },
  {
    name: 'without a lease an order is taken from a worker that is at it',
    patches: [
      {
        file: QUERIES,
        from: `o.status = 'pending' and o.lease_until <= now()\n    returning`,
        to: `o.status = 'pending'\n    returning`,
      },
    ],
    scenario: WITH_KEY,
    point: CHARGE,
    kind: 'overtaken while it waits',
    violation: /taken over while its lease was alive/,
  },
  {
    name: 'with a lease that never ends nobody goes on where a worker died',
    patches: [
      {
        file: QUERIES,
        from: `o.status = 'pending' and o.lease_until <= now()\n    returning`,
        to: `false\n    returning`,
      },
    ],
    scenario: WITH_KEY,
    point: CHARGE,
    kind: 'dropped before it is sent',
    violation: /stays pending/,
  },
  {
    name: 'without the index nothing but the code refuses a second live order',
    patches: [],
    sql: DROP_INDEX,
    scenario: WITHOUT_KEY,
    point: BATCH_1,
    kind: 'overtaken while it waits',
    violation: /takes a second live order/,
  },
  {
    name: 'with the index alone two tabs still come to one order',
    patches: NO_CART_GUARDS,
    scenario: WITHOUT_KEY,
    point: BATCH_1,
    kind: 'overtaken while it waits',
    violation: null,
  },
  {
    name: 'with neither, two tabs come to two orders and two charges',
    patches: NO_CART_GUARDS,
    sql: DROP_INDEX,
    scenario: WITHOUT_KEY,
    point: BATCH_1,
    kind: 'overtaken while it waits',
    violation: /2 orders are placed instead of 1/,
  },
  {
    name: 'a key whose first caller got no reply has none to replay when only that caller may store it',
    patches: [{ file: 'src/platform/http/idempotency.ts', from: ` or state = 'done')`, to: ')' }],
    scenario: 'money that is captured later',
    point: /\/capture$/,
    kind: 'dropped before it is sent',
    violation: /answered 200 again, and it is not stored/,
  },
];

describe('the harness fails when a rule is missing', () => {
  test.each(MUTATIONS)('$name', async ({ patches, sql, scenario: name, point: label, kind, violation }) => {
    const mutant = await buildMutant(patches);
    const { stack, ...rest } = await startLane(mutant.workerDir);
    // What a broken Worker answers need not be in the contract.
    const lane = {
      ...rest,
      stack: { ...stack, fetch: (path: string, init?: RequestInit) => fetch(stack.url + path, init) },
    };
    try {
      if (sql !== undefined) await lane.stack.owner.query(sql);
      const scenario = SCENARIOS.find((each) => each.name === name);
      if (!scenario) throw new Error(`no scenario ${name}`);
      const { points } = await record(lane, scenario);
      const [point, ...others] = points.filter((each) => label.test(each.label));
      if (!point || others.length > 0)
        throw new Error(`${label} names ${others.length + 1} of ${points.map((each) => each.label).join('; ')}`);
      const found = await runCase(lane, scenario, { point, kind });
      if (violation === null) expect(found).toEqual([]);
      else expect(found.join('\n')).toMatch(violation);
    } finally {
      await lane.stack.close();
      await mutant.remove();
    }
  });
});
