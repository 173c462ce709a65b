import { type Buyer, type Goods, isOrdered, orderIdOf } from './buyers.ts';
import type { Check } from './scenario.ts';
import { none } from './scenario.ts';
import type { Stage } from './stage.ts';

export interface Books {
  orders: number;
  stockLeft: number;
  checks: Check[];
}

interface Sold {
  id: string;
  status: string;
  total: number;
}

/** What the shop, its ledgers and the provider say of what was sold, held against what buyers were told. */
export async function audit(stage: Stage, goods: Goods, buyers: readonly Buyer[]): Promise<Books> {
  const { rows: orders } = await stage.owner.query<Sold>(
    `select o.id, o.status, o.total::int as total from orders o
     where exists (select from order_items i where i.order_id = o.id and i.sku_id = $1)`,
    [goods.skuId],
  );
  const live = orders.filter(({ status }) => status !== 'failed');
  const { left, faults } = await stockOf(stage, goods, live.length);
  return {
    orders: live.length,
    stockLeft: left,
    checks: [
      none('no acknowledged order is lost, none is there twice or untold', toldFaults(live, buyers)),
      none('no order without its money, no money without its order', moneyFaults(stage, orders)),
      none('no unit sold twice; stock, ledger and reservations agree', faults),
    ],
  };
}

function toldFaults(live: readonly Sold[], buyers: readonly Buyer[]): string[] {
  const told = buyers.flatMap((buyer) => orderIdOf(buyer) ?? []);
  const there = new Set(live.map(({ id }) => id));
  const lost = told.filter((id) => !there.has(id)).map((id) => `order ${id} was acknowledged and is not there`);
  const untold = buyers.filter((buyer) => buyer.toldAtMs === null).length;
  const bought = buyers.filter(isOrdered).length;
  return [
    ...lost,
    ...(new Set(told).size === told.length ? [] : ['two buyers were told of the same order']),
    ...(untold === 0 ? [] : [`${untold} buyers never learned what became of their order`]),
    ...(live.length === bought ? [] : [`${live.length} orders are there, ${bought} buyers were told of one`]),
  ];
}

function moneyFaults({ provider }: Stage, orders: readonly Sold[]): string[] {
  const charges = provider.charges();
  return orders.flatMap(({ id, status, total }) => {
    const kept = charges.filter(({ order_id }) => order_id === id);
    const sum = kept.reduce((all, { captured, refunded }) => all + captured - refunded, 0);
    const due = status === 'failed' ? 0 : total;
    const faults = status === 'pending' ? [`order ${id} is still pending`] : [];
    if (sum !== due) faults.push(`order ${id} (${status}) cost ${sum} instead of ${due}`);
    if (kept.length > 1) faults.push(`order ${id} has ${kept.length} charges`);
    return faults;
  });
}

interface Level {
  on_hand: number;
  reserved: number;
  moved: number;
  promised: number;
  [name: string]: number;
}

async function stockOf({ owner }: Stage, { skuId, stock }: Goods, sold: number) {
  const { rows } = await owner.query<Level>(
    `select l.on_hand, l.reserved,
       coalesce((select sum(m.reserved_delta) from stock_movements m where m.sku_id = l.sku_id), 0)::int as moved,
       coalesce((select sum(r.quantity) from reservations r where r.sku_id = l.sku_id), 0)::int as promised
     from stock_levels l where l.sku_id = $1`,
    [skuId],
  );
  const [level] = rows;
  if (!level) throw new Error(`no stock level of ${skuId}`);
  const wanted = { on_hand: stock, reserved: sold, moved: sold, promised: sold };
  const faults = Object.entries(wanted).flatMap(([name, value]) => {
    const found = level[name];
    return found === value ? [] : [`${name} is ${found} instead of ${value}`];
  });
  return { left: level.on_hand - level.reserved, faults };
}
