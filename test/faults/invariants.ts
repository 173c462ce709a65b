import type { TestProvider } from '../../dev/provider/server.ts';
import type { Stack } from '../support/stack.ts';
import { storedReply } from '../support/stored.ts';
import { QUANTITY, type Run, STOCK } from './run.ts';

type Charge = ReturnType<TestProvider['charges']>[number];

interface OrderFacts {
  id: string;
  status: string;
  cart_id: string;
  cart_status: string | null;
  total: number;
  number: string;
  placed_events: number;
  payments: { id: string; amount: number; captured: number; refunded: number; open: number }[];
}

/** Everything about the run that must not be; empty when all is well. */
export async function violationsOf(run: Run): Promise<string[]> {
  const orders = await ordersOf(run);
  const charges = run.stack.provider.charges();
  return [
    ...run.violations,
    ...outcomeFaults(run, orders),
    ...orders.flatMap((order) => moneyFaults(run, order, chargesOf(charges, order))),
    ...orders.flatMap((order) => recordFaults(order)),
    ...toldFaults(run, orders),
    ...(await strayCharges(run.stack, charges)),
    ...(await stockFaults(run, orders)),
    ...(await keyFaults(run)),
    ...(await twinFaults(run, orders)),
    ...(await replayFaults(run)),
  ];
}

const isSold = ({ status }: OrderFacts): boolean => status === 'confirmed' || status === 'completed';
const wasPlaced = (order: OrderFacts): boolean => isSold(order) || order.status === 'canceled';
const chargesOf = (charges: readonly Charge[], { id }: OrderFacts): Charge[] =>
  charges.filter((charge) => charge.order_id === id);

async function ordersOf({ stack, sku }: Run): Promise<OrderFacts[]> {
  const { rows } = await stack.owner.query<OrderFacts>(
    `select o.id, o.status, o.cart_id, o.total::int, o.number,
       (select c.status from carts c where c.id = o.cart_id) as cart_status,
       (select count(*)::int from outbox_events e
        where e.aggregate_id = o.id::text and e.type = 'order.placed') as placed_events,
       (select coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'amount', p.amount,
          'captured', (select coalesce(sum(t.amount), 0) from payment_transactions t
            where t.payment_id = p.id and t.kind = 'capture' and t.outcome = 'success'),
          'refunded', (select coalesce(sum(t.amount), 0) from payment_transactions t
            where t.payment_id = p.id and t.kind = 'refund' and t.outcome = 'success'),
          'open', (select count(*) from payment_request_leases l join payment_transactions t on t.id = l.request_id
            where t.payment_id = p.id and not exists (select from payment_transactions r
              where r.request_id = t.id and r.outcome in ('success', 'failure'))))), '[]')
        from payments p where p.order_id = o.id) as payments
     from orders o where o.id in (select order_id from order_items where sku_id = $1)`,
    [sku.id],
  );
  return rows;
}

/** One order, or none; and the one that there should be. */
function outcomeFaults({ expected }: Run, orders: readonly OrderFacts[]): string[] {
  const sold = orders.filter(isSold).length;
  const wanted = expected.outcome === 'sold' ? 1 : 0;
  const canceled = orders.filter(({ status }) => status === 'canceled').length;
  const wantedCanceled = expected.outcome === 'canceled' ? 1 : 0;
  return [
    ...(canceled === wantedCanceled ? [] : [`${canceled} orders are canceled instead of ${wantedCanceled}`]),
    ...(sold === wanted ? [] : [`${sold} orders are placed instead of ${wanted}`]),
    ...orders.filter(({ status }) => status === 'pending').map(({ id }) => `order ${id} stays pending`),
  ];
}

/** The provider, the ledger and the order tell the same sums; an order that came to nothing has cost nothing. */
function moneyFaults({ expected }: Run, order: OrderFacts, charges: readonly Charge[]): string[] {
  const [payment] = order.payments;
  if (order.payments.length !== 1 || !payment) return [`${order.payments.length} payments of order ${order.id}`];
  if (charges.length > 1) return [`${charges.length} charges for order ${order.id}`];
  const [charge] = charges;
  const { captured = 0, refunded = 0 } = charge ?? {};
  const faults: string[] = [];
  const must = (holds: boolean, text: string) => void (holds || faults.push(`order ${order.id}: ${text}`));
  must(payment.amount === order.total, `${payment.amount} is to be paid instead of ${order.total}`);
  must(!charge || charge.amount === order.total, `${charge?.amount} is charged instead of ${order.total}`);
  must(payment.open === 0, 'a request of its payment is still open');
  if (wasPlaced(order)) {
    must(payment.captured === captured, `the ledger says ${payment.captured} captured, the provider ${captured}`);
    must(payment.refunded === refunded, `the ledger says ${payment.refunded} refunded, the provider ${refunded}`);
  }
  if (isSold(order)) {
    must(charge !== undefined, 'placed and never charged');
    must(captured === expected.captured, `${captured} is captured instead of ${expected.captured}`);
    must(refunded === expected.refunded, `${refunded} is refunded instead of ${expected.refunded}`);
  } else {
    must(captured === refunded, `${order.status}, and ${captured - refunded} of the buyer's money is kept`);
    must(charge?.status !== 'requires_capture', `${order.status}, and the buyer's money is still held`);
  }
  return faults;
}

function recordFaults(order: OrderFacts): string[] {
  const wanted = wasPlaced(order) ? 1 : 0;
  const cart = wasPlaced(order) ? order.cart_status === 'completed' : order.cart_status !== 'completing';
  return [
    ...(order.placed_events === wanted ? [] : [`order.placed is told ${order.placed_events} times, not ${wanted}`]),
    ...(cart ? [] : [`the cart of a ${order.status} order is ${order.cart_status}`]),
  ];
}

/** Nothing that was told is taken back. */
function toldFaults({ told, expected }: Run, orders: readonly OrderFacts[]): string[] {
  return told.flatMap(({ answer, orderId, total, number }) => {
    const order = orders.find(({ id }) => id === orderId);
    if (!order) return [`order ${orderId} was answered (${answer}) and is not there`];
    if (answer === 'declined') return order.status === 'failed' ? [] : [`a declined order is ${order.status}`];
    const same = (total ?? order.total) === order.total && (number ?? order.number) === order.number;
    const kept = answer !== 'placed' || isSold(order) || (expected.outcome === 'canceled' && wasPlaced(order));
    return same && kept
      ? []
      : [`order ${orderId} was answered as ${answer}, ${total}: now ${order.status}, ${order.total}`];
  });
}

/** Money of an order that is not there. */
async function strayCharges(stack: Stack, charges: readonly Charge[]): Promise<string[]> {
  const ids = charges.map((charge) => charge.order_id);
  const { rows } = await stack.owner.query<{ id: string }>('select id from orders where id = any($1)', [ids]);
  const known = new Set(rows.map(({ id }) => id));
  return charges.filter(({ order_id }) => !known.has(order_id ?? '')).map(({ id }) => `charge ${id} has no order`);
}

async function stockFaults({ stack, sku }: Run, orders: readonly OrderFacts[]): Promise<string[]> {
  const { rows } = await stack.owner.query(
    `select l.on_hand, l.reserved, l.shortfall, m.*, r.*
     from stock_levels l
     cross join lateral (select sum(on_hand_delta)::int as moved_on_hand, sum(reserved_delta)::int as moved_reserved
       from stock_movements m where m.sku_id = l.sku_id and m.location_id = l.location_id) m
     cross join lateral (select coalesce(sum(quantity), 0)::int as promised,
         coalesce(sum(quantity) filter (where committed_at is not null), 0)::int as committed
       from reservations r where r.sku_id = l.sku_id and r.location_id = l.location_id) r
     where l.sku_id = $1`,
    [sku.id],
  );
  const [level] = rows;
  const sold = orders.filter(isSold).length * QUANTITY;
  const wanted = { on_hand: STOCK, reserved: sold, moved_on_hand: STOCK, moved_reserved: sold, promised: sold };
  return Object.entries({ ...wanted, committed: sold, shortfall: 0 })
    .filter(([name, value]) => level[name] !== value)
    .map(([name, value]) => `stock: ${name} is ${level[name]} instead of ${value}`);
}

async function keyFaults({ stack }: Run): Promise<string[]> {
  const { rows } = await stack.owner.query(`select key from idempotency_keys where state = 'in_flight'`);
  return rows.map(({ key }) => `key ${key} stays in flight`);
}

/** Whatever a Worker does, the database takes no second live order of a cart. */
async function twinFaults({ stack }: Run, orders: readonly OrderFacts[]): Promise<string[]> {
  const order = orders.find(isSold);
  if (!order) return [];
  const client = await stack.owner.connect();
  try {
    await client.query('begin');
    await client.query(
      `insert into orders select (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(), 'number', 'twin'))).*
       from orders o where o.id = $1`,
      [order.id],
    );
    return ['the database takes a second live order of the cart'];
  } catch (error) {
    const { constraint } = error as { constraint?: string };
    return constraint === 'orders_live_cart'
      ? []
      : [`a second live order is refused for another reason: ${constraint}`];
  } finally {
    await client.query('rollback');
    client.release();
  }
}

/** The same key again: the same order, and the same bytes from the moment at which they are stored. */
async function replayFaults(run: Run): Promise<string[]> {
  if (!run.replay) return [];
  const { send, first, key } = run.replay;
  const idOf = ({ body }: typeof first) => body.id ?? body.order_id;
  const wasStored = (await storedReply(run.stack, key)) !== null;
  const again = await send();
  if (again.status !== first.status || idOf(again) !== idOf(first))
    return [`answered ${first.status} of ${idOf(first)}, and then ${again.status} of ${idOf(again)}`];
  if (again.status === 409) return [];
  await run.idle();
  if ((await storedReply(run.stack, key)) === null) return [`answered ${again.status} again, and it is not stored`];
  const replays = [...(wasStored ? [again] : []), await send(), await send()].map(({ text }) => text);
  return new Set(replays).size === 1 ? [] : [`replayed with other bytes: ${replays.join(' | ')}`];
}
