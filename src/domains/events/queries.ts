import { json, sql, type Sql } from '../../platform/db/sql.ts';

export interface DomainEvent {
  id: string;
  type: string;
  aggregateId: string;
  /** Ids and amounts only; never a name, e-mail or address. */
  payload: Record<string, unknown>;
}

export interface OutboxRow {
  id: string;
  type: string;
  aggregate_id: string;
  payload: Record<string, unknown>;
  created_at: string;
  attempts: number;
}

/** Written in the same batch as the change it tells of; a resent batch writes it once. */
export function emitEvent({ id, type, aggregateId, payload }: DomainEvent): Sql {
  return sql`
    insert into outbox_events (id, type, aggregate_id, payload)
    values (${id}::uuid, ${type}, ${aggregateId}, ${json(payload)}::jsonb)
    on conflict (id) do nothing`;
}

/** The same, where the batch finds out by itself whether there is anything to tell. */
export function emitEventIf(condition: Sql, { id, type, aggregateId, payload }: DomainEvent): Sql {
  return sql`
    insert into outbox_events (id, type, aggregate_id, payload)
    select ${id}::uuid, ${type}, ${aggregateId}, ${json(payload)}::jsonb where ${condition}
    on conflict (id) do nothing`;
}

/** The same for what the batch itself has made: `rows` selects id, type, aggregate and payload. */
export function emitEventsFrom(rows: Sql): Sql {
  return sql`
    insert into outbox_events (id, type, aggregate_id, payload) ${rows}
    on conflict (id) do nothing`;
}

/** Takes due events for a minute; a drain that dies leaves them to the next one. */
export function takeDueEvents(limit: number): Sql<OutboxRow> {
  return sql<OutboxRow>`
    with due as (
      select id from outbox_events
      where delivered_at is null and dead_at is null and next_attempt_at <= now()
      order by next_attempt_at
      limit ${limit}::int
      for update skip locked
    )
    update outbox_events e set attempts = e.attempts + 1, next_attempt_at = now() + interval '1 minute'
    from due where e.id = due.id
    returning e.id, e.type, e.aggregate_id, e.payload, e.created_at, e.attempts`;
}

export function markDelivered(ids: readonly string[]): Sql {
  return sql`update outbox_events set delivered_at = now(), last_error = null where id = any(${ids}::uuid[])`;
}

/** What was delivered so long ago; no subscriber asks for it again. */
export function removeDelivered(keptDays: number, limit: number): Sql {
  return sql`
    delete from outbox_events where id in (
      select id from outbox_events where delivered_at < now() - make_interval(days => ${keptDays}::int)
      limit ${limit}::int for update skip locked)`;
}

/** What was given up so long ago. */
export function removeDead(keptDays: number, limit: number): Sql {
  return sql`
    delete from outbox_events where id in (
      select id from outbox_events where dead_at < now() - make_interval(days => ${keptDays}::int)
      limit ${limit}::int for update skip locked)`;
}

export interface FailedDelivery {
  id: string;
  error: string;
  /** Seconds until the next attempt; null makes the row dead. */
  retryInS: number | null;
}

export function markFailed(failures: readonly FailedDelivery[]): Sql {
  return sql`
    update outbox_events e
    set last_error = f.error,
        dead_at = case when f.retry_in_s is null then now() end,
        next_attempt_at = now() + make_interval(secs => coalesce(f.retry_in_s, 0))
    from jsonb_to_recordset(${json(
      failures.map(({ id, error, retryInS }) => ({ id, error, retry_in_s: retryInS })),
    )}::jsonb) as f(id uuid, error text, retry_in_s double precision)
    where e.id = f.id`;
}
