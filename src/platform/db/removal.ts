import { sql, type Sql } from './sql.ts';

/** How many rows a clean-up removed: the only row of its result. */
export interface Removed {
  removed: number;
}

/** A bounded `delete` that answers its count instead of its rows. */
export function countRemoved(deletion: Sql): Sql<Removed> {
  return sql<Removed>`with gone as (${deletion} returning 1) select count(*)::int as removed from gone`;
}
