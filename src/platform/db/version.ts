import { json, sql, type Sql } from './sql.ts';

/**
 * Refuses the batch with 404 when `locked` (a `select version ... for update`) finds nothing, and with 412 when its
 * version is none of those that If-Match named; null takes any.
 */
export function requireVersion(
  locked: Sql<{ version: number }>,
  versions: readonly number[] | null,
  what: string,
): Sql {
  return sql`
    select
      require(held.version is not null, 'not_found', ${json({ param: 'id', message: `No such ${what}.` })}::jsonb),
      require(${versions}::int[] is null or held.version = any(${versions}::int[]), 'precondition_failed',
        ${json({ param: 'If-Match', message: `The ${what} has changed since.` })}::jsonb)
    from (select 1) always left join (${locked}) held on true`;
}
