import type { Stack } from './stack.ts';

/** How many of this shop's transactions wait for somebody else's; those of a test beside this one do not count. */
export async function blockedIn({ owner }: Stack): Promise<number> {
  const { rows } = await owner.query<{ blocked: number }>(
    `select count(*)::int as blocked from pg_stat_activity
     where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
  );
  return rows[0]?.blocked ?? 0;
}
