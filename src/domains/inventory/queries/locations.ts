import { nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import { requireVersion } from '../../../platform/db/version.ts';
import type * as z from 'zod';
import type { LocationPatch, NewLocation, StockLocation } from '../schema.ts';

export type LocationRow = z.output<typeof StockLocation>;

function locations(where: Sql, tail: Sql): Sql<LocationRow> {
  return sql<LocationRow>`
    select id, code, name, priority, countries, active, version, created_at, updated_at
    from stock_locations where ${where} ${tail}`;
}

/** In the order in which they are allocated from. */
export function locationPage(after: readonly [number, string] | null, limit: number): Sql<LocationRow> {
  return locations(
    after === null ? sql`true` : sql`(priority, id) > (${after[0]}::int, ${after[1]}::uuid)`,
    sql`order by priority, id limit ${limit + 1}::int`,
  );
}

export function locationById(id: string): Sql<LocationRow> {
  return locations(sql`id = ${id}::uuid`, nothing);
}

export function insertLocation(id: string, { code, name, priority, countries }: NewLocation): Sql {
  return sql`
    with inserted as (
      insert into stock_locations (id, code, name, priority, countries)
      values (${id}::uuid, ${code}, ${name}, ${priority}::int, ${countries}::text[])
      on conflict (code) do nothing
      returning 1
    )
    select require(exists (select from inserted), 'conflict', '{"param": "code", "message": "This code is taken."}')`;
}

export function patchLocation(id: string, patch: LocationPatch, versions: readonly number[] | null): Sql[] {
  let set = sql`version = version + 1, updated_at = now()`;
  if (patch.name !== undefined) set = sql`${set}, name = ${patch.name}`;
  if (patch.priority !== undefined) set = sql`${set}, priority = ${patch.priority}::int`;
  if (patch.countries !== undefined) set = sql`${set}, countries = ${patch.countries}::text[]`;
  if (patch.active !== undefined) set = sql`${set}, active = ${patch.active}::boolean`;
  return [
    requireVersion(
      sql`select version from stock_locations where id = ${id}::uuid for update`,
      versions,
      'stock location',
    ),
    sql`update stock_locations set ${set} where id = ${id}::uuid`,
  ];
}
