import { auditEntry } from '../audit/index.ts';
import { invalidate } from '../../platform/cache/replies.ts';
import { subjectOf, type Actor } from '../../platform/auth/actor.ts';
import type { Sql } from '../../platform/db/sql.ts';
import type { Deps } from '../../platform/deps.ts';
import { notFound } from '../../platform/errors.ts';
import type { Change } from '../../platform/http/change.ts';
import { claimStatements } from '../../platform/http/idempotency.ts';
import { CATALOG_CACHE } from '../markets/index.ts';
import { firstLocation } from './queries/levels.ts';
import { becauseOf } from './queries/reserve.ts';

/** Call it after a batch that moved stock is committed: products show what is left of them. */
export function stockChanged(deps: Deps): void {
  invalidate(deps, CATALOG_CACHE);
}

/** The first location where none is named, null where there is none: asked for once, so that a batch and its repeat agree. */
export async function locationOf(deps: Deps, named: string | undefined): Promise<string | null> {
  if (named !== undefined) return named;
  const [[first]] = await deps.db.read(firstLocation);
  return first?.id ?? null;
}

/** Who changes something, in which request and under which key. */
export interface StaffChange extends Pick<Change, 'claim' | 'requestId'> {
  actor: Actor;
}

export interface Described {
  action: `${string}.${string}`;
  resource: { type: string; id: string };
  /** For the ledger, where levels move. */
  reason?: string;
  details?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

/** One batch: claim, change, audit row; then the row that was made or changed. A lost reply is resent under a claim only. */
export async function changeByStaff<Row>(
  deps: Deps,
  { actor, claim, requestId }: StaffChange,
  { action, resource, reason, details }: Described,
  statements: readonly Sql[],
  readBack: Sql<Row>,
): Promise<Row> {
  const row = await deps.db.commit(
    [
      ...claimStatements(claim, resource.id),
      ...(reason === undefined ? [] : [becauseOf(reason, resource.id, subjectOf(actor))]),
      ...statements,
      auditEntry({ id: deps.ids.uuid(), actor, action, resource, requestId, ...(details && { details }) }),
    ],
    readBack,
    { resend: claim !== null },
  );
  if (!row) throw notFound(resource.type);
  stockChanged(deps);
  return row;
}
