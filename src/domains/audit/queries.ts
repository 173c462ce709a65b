import { json, nothing, sql, type Sql } from '../../platform/db/sql.ts';
import type { Actor } from '../../platform/auth/actor.ts';
import type { Removed } from '../../platform/db/removal.ts';

export interface AuditEntry {
  /** UUIDv7: the log is read in its order. */
  id: string;
  /** `system`: the tick or a webhook; nobody asked for it, the product did it. */
  actor: Actor | { kind: 'system' };
  /** `<plural of the resource>.<verb>`, such as `users.create`. */
  action: `${string}.${string}`;
  resource: { type: string; id: string };
  /** Ids, codes and names of fields; never a value that a person gave. */
  details?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  requestId: string | null;
}

/** The account or key behind an actor; null for those that have none. */
export function actorIdOf(actor: AuditEntry['actor']): string | null {
  switch (actor.kind) {
    case 'guest':
    case 'system':
      return null;
    case 'key':
      return actor.keyId;
    case 'customer':
    case 'staff':
      return actor.accountId;
  }
}

/** Stands in the batch of the change, behind its claim: both are done or neither is. */
export function auditEntry({ id, actor, action, resource, details = {}, requestId }: AuditEntry): Sql {
  return sql`
    insert into audit_log (id, actor_kind, actor_id, action, resource_type, resource_id, details, request_id)
    values (${id}::uuid, ${actor.kind}, ${actorIdOf(actor)}::uuid, ${action}, ${resource.type}, ${resource.id},
      ${json(details)}::jsonb, ${requestId})`;
}

export interface AuditRow {
  id: string;
  actor_kind: 'guest' | 'customer' | 'staff' | 'key' | 'system';
  actor_id: string | null;
  action: string;
  resource_type: string;
  resource_id: string | null;
  details: Record<string, unknown>;
  request_id: string | null;
  created_at: string;
}

export interface AuditFilter {
  actor_id?: string | undefined;
  action?: string | undefined;
  resource_type?: string | undefined;
  resource_id?: string | undefined;
}

/** Newest first, below the cursor's id; one row more than the page, to see whether there is a next one. */
export function auditPage(filter: AuditFilter, beforeId: string | null, limit: number): Sql<AuditRow> {
  const { actor_id, action, resource_type, resource_id } = filter;
  return sql<AuditRow>`
    select id, actor_kind, actor_id, action, resource_type, resource_id, details, request_id, created_at
    from audit_log
    where true
      ${actor_id === undefined ? nothing : sql`and actor_id = ${actor_id}::uuid`}
      ${action === undefined ? nothing : sql`and action = ${action}`}
      ${resource_type === undefined ? nothing : sql`and resource_type = ${resource_type}`}
      ${resource_id === undefined ? nothing : sql`and resource_id = ${resource_id}`}
      ${beforeId === null ? nothing : sql`and id < ${beforeId}::uuid`}
    order by id desc limit ${limit + 1}::int`;
}

/** The Worker's role may not delete here itself; the database keeps a year in any case. */
export function removeOldEntries(keptDays: number, limit: number): Sql<Removed> {
  return sql<Removed>`select remove_old_audit_entries(${keptDays}::int, ${limit}::int) as removed`;
}
