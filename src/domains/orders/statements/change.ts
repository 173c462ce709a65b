import { json, nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import type { Actor } from '../../../platform/auth/actor.ts';
import { actorIdOf } from '../../audit/index.ts';
import type { Line } from '../rules/state.ts';
import type { MoneyLine } from '../rules/money.ts';
import type { Statuses } from '../rules/status.ts';

/** The next version, with where the order stands now; `cancelReason` when that is its end. */
export function saveOrder(orderId: string, { status, fulfillment_status }: Statuses, cancelReason?: string): Sql {
  const canceled = cancelReason === undefined ? nothing : sql`, canceled_at = now(), cancel_reason = ${cancelReason}`;
  return sql`
    update orders set version = version + 1, status = ${status}, fulfillment_status = ${fulfillment_status} ${canceled}
    where id = ${orderId}::uuid`;
}

/** Only its version: something hangs from it that was not there before. */
export function touchOrder(orderId: string): Sql {
  return sql`update orders set version = version + 1 where id = ${orderId}::uuid`;
}

export interface OrderChange {
  id: string;
  orderId: string;
  type: string;
  actor: Actor;
  /** Ids, codes, quantities and amounts; never what a person wrote. */
  details: Readonly<Record<string, unknown>>;
}

/** An entry of the timeline. */
export function insertChange({ id, orderId, type, actor, details }: OrderChange): Sql {
  return sql`
    insert into order_changes (id, order_id, type, actor_kind, actor_id, details)
    values (${id}::uuid, ${orderId}::uuid, ${type}, ${actor.kind}, ${actorIdOf(actor)}::uuid, ${json(details)}::jsonb)`;
}

export function fulfillUnits(lines: readonly Line[]): Sql {
  return sql`
    update order_items i set fulfilled_quantity = i.fulfilled_quantity + l.quantity
    from jsonb_to_recordset(${json(lines)}::jsonb) as l(item_id uuid, quantity int) where i.id = l.item_id`;
}

export function cancelUnits(lines: readonly Line[]): Sql {
  return sql`
    update order_items i set canceled_quantity = i.canceled_quantity + l.quantity
    from jsonb_to_recordset(${json(lines)}::jsonb) as l(item_id uuid, quantity int) where i.id = l.item_id`;
}

/** Money that is not taken any more, of the payment and of its lines. */
export function waiveMoney(paymentId: string, amount: number, lines: readonly MoneyLine[]): Sql[] {
  return [
    sql`update payments set waived_amount = waived_amount + ${amount}::bigint where id = ${paymentId}::uuid`,
    sql`
      update order_items i set waived_quantity = i.waived_quantity + l.quantity,
        waived_amount = i.waived_amount + l.amount
      from jsonb_to_recordset(${json(lines)}::jsonb) as l(item_id uuid, quantity int, amount bigint)
      where i.id = l.item_id`,
  ];
}

/** Money of canceled units that the shop keeps, or takes still. */
export function withholdMoney(lines: readonly MoneyLine[]): Sql {
  return sql`
    update order_items i set withheld_quantity = i.withheld_quantity + l.quantity,
      withheld_amount = i.withheld_amount + l.amount
    from jsonb_to_recordset(${json(lines)}::jsonb) as l(item_id uuid, quantity int, amount bigint)
    where i.id = l.item_id`;
}

export interface NewNote {
  id: string;
  orderId: string;
  authorId: string | null;
  body: string;
  visibleToCustomer: boolean;
}

export function insertNote({ id, orderId, authorId, body, visibleToCustomer }: NewNote): Sql {
  return sql`
    insert into order_notes (id, order_id, author_id, body, visible_to_customer)
    values (${id}::uuid, ${orderId}::uuid, ${authorId}::uuid, ${body}, ${visibleToCustomer}::boolean)`;
}
