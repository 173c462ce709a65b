import type { AppError } from '../../../platform/errors.ts';
import { json, sql, type Sql } from '../../../platform/db/sql.ts';

const FIRST_LOCK_S = 60;
const LOCK_MAX_S = 900;
/** Doublings after which the longest lock is reached whatever follows. */
const DOUBLINGS_MAX = 10;

export interface LockRow {
  /** Whole seconds, at least 1. */
  retry_after_s: number;
}

function locksOf(digests: readonly string[]): Sql<LockRow> {
  return sql<LockRow>`
    select ceil(extract(epoch from max(locked_until) - now()))::int as retry_after_s from login_failures
    where subject = any(${digests}::text[]) and locked_until > now()
    having count(*) > 0`;
}

/** One row when any of the subjects is locked, else none. */
export function lockState(digests: readonly string[]): Sql<LockRow> {
  return locksOf(digests);
}

/** Aborts with `refusal` when a lock has fallen since it was read. */
export function requireUnlocked(digests: readonly string[], { code, message, options }: AppError): Sql {
  return sql`
    select require(false, ${code}, ${json({ message, param: options.param })}::jsonb) from (${locksOf(digests)}) as locks`;
}

/** Counted on the locked row, so failures at once all count; what passed without one is taken off before. */
export function noteFailure(subject: { digest: string; failuresMax: number; forgetS: number }): Sql {
  const { digest, failuresMax, forgetS } = subject;
  const lockS = sql`
    least(${LOCK_MAX_S}::int, ${FIRST_LOCK_S}::int * 2 ^ least(failures - ${failuresMax}::int, ${DOUBLINGS_MAX}::int))`;
  return sql`
    insert into login_failures as f (subject) values (${digest})
    on conflict (subject) do update set (failures, locked_until, updated_at) = (
      select failures,
        case when failures >= ${failuresMax}::int
          then greatest(f.locked_until, clock_timestamp() + make_interval(secs => ${lockS})) end,
        clock_timestamp()
      from (select 1 + greatest(0, f.failures - greatest(0,
          floor(extract(epoch from clock_timestamp() - f.updated_at) / ${forgetS}::int))::int) as failures) as counted)`;
}

export function clearFailures({ digest }: { digest: string }): Sql {
  return sql`delete from login_failures where subject = ${digest}`;
}

/** Long after the last one of them has been forgotten. */
export const removeOldFailures: Sql = sql`
  delete from login_failures where subject in (
    select subject from login_failures where updated_at < now() - interval '1 day' limit 1000 for update skip locked)`;
