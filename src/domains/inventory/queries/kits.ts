import { json, sql, type Sql } from '../../../platform/db/sql.ts';
import type * as z from 'zod';
import type { Kit, KitInput } from '../schema.ts';

export type KitRow = z.output<typeof Kit>;

/** Version 0 and no components: a SKU that was never a kit. No row: no such SKU. */
export function kitOf(skuId: string): Sql<KitRow> {
  return sql<KitRow>`
    select s.id as sku_id, coalesce(k.version, 0) as version, coalesce((
      select jsonb_agg(jsonb_build_object('sku_id', c.component_sku_id, 'quantity', c.quantity) order by c.component_sku_id)
      from kit_components c where c.kit_sku_id = s.id), '[]'::jsonb) as components
    from skus s left join kits k on k.sku_id = s.id
    where s.id = ${skuId}::uuid`;
}

/**
 * Aborts unless the kit is as the caller saw it, every component is a SKU, and none of them is a kit itself. All SKUs are
 * locked in one order first, so that two kits made at once see each other, and no order reserves half of a change.
 */
export function replaceKit(skuId: string, { components }: KitInput, versions: readonly number[] | null): Sql[] {
  const given = sql`jsonb_to_recordset(${json(components)}::jsonb) as g(sku_id uuid, quantity int)`;
  const named = [skuId, ...components.map((component) => component.sku_id)];
  return [
    sql`select 1 from skus where id = any(${named}::uuid[]) order by id for update`,
    sql`
      select
        require(s.id is not null, 'not_found', '{"param": "sku_id", "message": "No such SKU."}'),
        require(${versions}::int[] is null or coalesce(k.version, 0) = any(${versions}::int[]), 'precondition_failed',
          '{"param": "If-Match", "message": "The kit has changed since."}'),
        require(not exists (select from ${given} where not exists (select from skus s where s.id = g.sku_id)),
          'not_found', '{"param": "components", "message": "A component is no SKU."}'),
        require(not exists (select from ${given} where g.sku_id = ${skuId}::uuid
            or exists (select from kit_components c where c.kit_sku_id = g.sku_id))
          and not (exists (select from ${given})
            and exists (select from kit_components c where c.component_sku_id = ${skuId}::uuid)),
          'validation_failed', '{"param": "components", "message": "A kit is not made of kits."}'),
        require(not exists (select from ${given})
          or not exists (select from stock_levels l where l.sku_id = ${skuId}::uuid and (l.on_hand > 0 or l.reserved > 0)),
          'conflict', '{"param": "sku_id", "message": "The SKU has stock of its own, and a kit has none."}')
      from (select 1) always
      left join skus s on s.id = ${skuId}::uuid
      left join kits k on k.sku_id = s.id`,
    sql`
      insert into kits as k (sku_id) values (${skuId}::uuid) on conflict (sku_id) do update set version = k.version + 1`,
    sql`delete from kit_components where kit_sku_id = ${skuId}::uuid`,
    sql`
      insert into kit_components (kit_sku_id, component_sku_id, quantity)
      select ${skuId}::uuid, g.sku_id, g.quantity from ${given}`,
  ];
}
