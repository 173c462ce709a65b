import { afterEach, beforeEach, expect, test } from 'vitest';
import { MANUAL, pay, type Json, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { createClerk, made, stockFaults, tick, type Clerk } from './fixture.ts';
import {
  buy,
  createShelf,
  expectNoDeadlock,
  insist,
  leftOf,
  newSeed,
  oversoldMoments,
  randomItems,
  randomOf,
  shuffled,
  STOCK,
  unitsOf,
  type Items,
  type Shelf,
} from './storm.ts';

const BUYERS = 500;
/** A busy machine must not fail a test. */
const SLOW_MS = 400_000;

let stack: Stack;
let clerk: Clerk;
let shelf: Shelf;
beforeEach(async () => {
  // A busy machine is no silent provider.
  stack = await startStack({ env: { PAYMENT_TIMEOUT_MS: '20000' } });
  clerk = await createClerk(stack, [
    'inventory:read',
    'inventory:write',
    'orders:read',
    'orders:write',
    'refunds:write',
  ]);
  shelf = await createShelf(stack, clerk);
});
afterEach(() => stack.close());

interface Visit {
  items: Items;
  reply: Reply;
}

/**
 * What the buyers want. One buyer more than there are units wants nothing but one SKU, for each SKU: a unit that is left at
 * the end was refused to somebody who could have had it, however the others drew.
 */
function cartsOf(random: () => number): Items[] {
  const singles = shelf.skus.flatMap(({ id }) =>
    Array.from({ length: STOCK + 1 }, () => [{ sku_id: id, quantity: 1 }]),
  );
  const others = Array.from({ length: BUYERS - singles.length }, () => randomItems(shelf, random));
  return shuffled([...singles, ...others], random);
}

const isPlaced = ({ reply }: Visit) => reply.status === 201;

/** Refused for want of stock, and of nothing else; each named line asked for more than there was. */
function expectRefusal({ reply, items }: Visit): void {
  expect([reply.status, reply.body.code], reply.text).toEqual([409, 'insufficient_stock']);
  expect(reply.body.errors.length).toBeGreaterThan(0);
  for (const { sku_id, requested, available } of reply.body.errors) {
    expect(items.map((item) => item.sku_id)).toContain(sku_id);
    expect(available).toBeLessThan(requested);
  }
}

async function expectSound(): Promise<void> {
  expect(await stockFaults(stack)).toEqual([]);
  expect(await oversoldMoments(stack, shelf)).toEqual([]);
  await expectNoDeadlock(stack);
}

test(
  '500 buyers at once over 5 SKUs of 20 and kits that share them: every unit is sold, and none twice',
  async () => {
    const random = randomOf(newSeed());
    const carts = cartsOf(random);
    const visits = await Promise.all(
      carts.map(async (items, buyer) => {
        const payment = buyer % 10 === 0 ? pay('tok_ok') : MANUAL;
        return { items, reply: await buy(stack, shelf, items, payment) };
      }),
    );

    const placed = visits.filter(isPlaced);
    const refused = visits.filter((visit) => !isPlaced(visit));
    refused.forEach(expectRefusal);
    expect(
      unitsOf(
        shelf,
        placed.map(({ items }) => items),
      ),
    ).toEqual(shelf.skus.map(() => STOCK));
    const left = await leftOf(stack, shelf);
    expect(left).toEqual(shelf.skus.map(() => 0));
    expect(new Set(placed.map(({ reply }) => reply.body.id)).size).toBe(placed.length);
    expect(stack.provider.charges()).toHaveLength(placed.filter(({ reply }) => isByCard(reply.body)).length);
    await expectSound();
  },
  SLOW_MS,
);

const isByCard = (order: Json) => order.payments[0].provider === 'test';

/** All that chance decides about one buyer, drawn before anybody starts. */
interface Plan {
  items: Items;
  payment: Json;
  /** Of a payment that asks them: else they give up. */
  pays: boolean;
  /** Of an order that is placed. */
  cancels: 'nothing' | 'a line' | 'all';
  /** Somebody holds units of a SKU just before, and may let them go by hand. */
  hold: { sku_id: string; quantity: number; letsGo: boolean } | null;
}

const PAYMENTS: readonly [below: number, payment: Json][] = [
  [0.15, pay('tok_declined')],
  [0.25, pay('tok_requires_action')],
  [0.35, pay('tok_ok')],
  [1, MANUAL],
];

function planOf(random: () => number): Plan {
  const [items, dice, pays, canceled] = [randomItems(shelf, random), random(), random() < 0.3, random()];
  const sku = shelf.skus[Math.floor(random() * shelf.skus.length)];
  const hold = { sku_id: sku?.id ?? '', quantity: 1 + Math.floor(random() * 3), letsGo: random() < 0.5 };
  return {
    items,
    payment: PAYMENTS.find(([below]) => dice < below)?.[1] ?? MANUAL,
    pays,
    cancels: canceled < 0.2 ? 'all' : canceled < 0.4 ? 'a line' : 'nothing',
    hold: random() < 0.06 ? hold : null,
  };
}

async function holdUnits({ letsGo, ...units }: NonNullable<Plan['hold']>): Promise<void> {
  const reply = await clerk.post('/reservations', { ...units, expires_in: 1 });
  if (reply.body.code === 'insufficient_stock') return;
  const { id } = made(reply);
  // Whoever asks for the SKU next may have let it go before.
  if (letsGo) expect([204, 404]).toContain((await clerk.remove(`/reservations/${id}`)).status);
}

/** Buys as planned; what the buyer has in the end. */
async function visit({ items, payment, pays, cancels }: Plan): Promise<Items> {
  const reply = await buy(stack, shelf, items, payment);
  if (reply.status === 402) return [];
  if (reply.status !== 201) {
    expectRefusal({ reply, items });
    return [];
  }
  const { id, status, payments, items: lines } = reply.body;
  if (status === 'pending') {
    const outcome = pays ? 'success' : 'failure';
    await fetch(payments[0].next_action.url, { method: 'POST', body: new URLSearchParams({ outcome }) });
    return pays ? items : [];
  }
  if (cancels === 'nothing') return items;
  const [line] = lines;
  const some = cancels === 'a line' ? { items: [{ item_id: line.id, quantity: line.quantity }] } : {};
  const body = { reason: 'requested_by_customer', ...some };
  made(await insist((key) => clerk.post(`/orders/${id}/cancel`, body, { key })));
  return cancels === 'all' ? [] : items.filter(({ sku_id }) => sku_id !== line.sku_id);
}

test(
  'the same with declines, buyers who give up or cancel, and holds that end: what comes back is sold again, and none twice',
  async () => {
    const random = randomOf(newSeed());
    const plans = Array.from({ length: BUYERS }, () => planOf(random));
    const kept = await Promise.all(
      plans.map(async (plan, buyer) => {
        if (plan.hold) await holdUnits(plan.hold);
        if (buyer % 100 === 99) await tick(stack);
        return await visit(plan);
      }),
    );
    await settled();
    const before = unitsOf(shelf, kept);
    expect(await leftOf(stack, shelf)).toEqual(before.map((units) => STOCK - units));

    // One buyer more than there are units left of each: exactly the units are sold.
    const late = shelf.skus.flatMap(({ id }, index) =>
      Array.from({ length: STOCK - (before[index] ?? 0) + 1 }, () => [{ sku_id: id, quantity: 1 }]),
    );
    const visits = await Promise.all(
      late.map(async (items) => ({ items, reply: await buy(stack, shelf, items, MANUAL) })),
    );
    const refused = visits.filter((each) => !isPlaced(each));
    refused.forEach(expectRefusal);
    expect(refused).toHaveLength(shelf.skus.length);
    const sold = unitsOf(shelf, [...kept, ...visits.filter(isPlaced).map(({ items }) => items)]);
    expect(sold).toEqual(shelf.skus.map(() => STOCK));
    await expectSound();
  },
  SLOW_MS,
);

/** Webhooks are in, no order waits, and holds that are over are let go. */
async function settled(): Promise<void> {
  await expect
    .poll(
      async () => {
        // A delivery that was given up while everybody waits for the same rows is not due again for minutes.
        await stack.owner.query(
          `update orders set lease_until = now() - interval '1 day' where status = 'pending' and lease_until < now();
           update payment_webhook_events set received_at = received_at - interval '3 days' where applied_at is null`,
        );
        await tick(stack);
        const { rows } = await stack.owner.query(
          `select (select count(*)::int from orders where status = 'pending') as pending,
             (select count(*)::int from reservations where order_id is null) as holds`,
        );
        return rows[0];
      },
      { timeout: 60_000, interval: 500 },
    )
    .toEqual({ pending: 0, holds: 0 });
}
