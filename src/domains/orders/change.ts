import { subjectOf, type Actor } from '../../platform/auth/actor.ts';
import { FenceLost, IdempotencyConflict } from '../../platform/db/errors.ts';
import type { Sql } from '../../platform/db/sql.ts';
import type { Deps } from '../../platform/deps.ts';
import { AppError, notFound } from '../../platform/errors.ts';
import { claimStatements, keyRow, type Claim } from '../../platform/http/idempotency.ts';
import { auditEntry, type AuditEntry } from '../audit/index.ts';
import { drainOutbox } from '../events/index.ts';
import { stockChanged } from '../inventory/index.ts';
import { assertAccess, type Access } from './access.ts';
import { orderState, requireUnchanged } from './queries/state.ts';
import type { OrderState } from './rules/state.ts';
import { insertChange, type OrderChange } from './statements/change.ts';

/** Who changes an order, under which key and in which request. */
export interface Asked {
  actor: Actor;
  claim: Claim | null;
  requestId: string;
  /** Of a buyer, whose order it has to be; staff need none. */
  access?: Access | undefined;
}

export interface OrderVerb {
  /** Of what the verb makes: the key points at it, so that a retry finds it. */
  resourceId: string;
  /** `<plural>.<verb>` for the audit log, and the type of the entry in the timeline. */
  action: `${string}.${string}`;
  type: string;
  details: NonNullable<AuditEntry['details']>;
  /** What the timeline says beside that. */
  told?: OrderChange['details'];
  statements: Sql[];
}

/** As ledgers keep it: a guest's address is nobody's business there. */
export function actorName(actor: Actor): string {
  return actor.kind === 'guest' ? 'guest' : subjectOf(actor);
}

/** Whoever lost a race reads again and decides anew; so many in a row are somebody's loop. */
const TRIES_MAX = 8;

async function readState(deps: Deps, orderId: string, { claim, access }: Asked): Promise<OrderState> {
  const order = orderState(orderId);
  const [[state], [key] = []] = await (claim ? deps.db.read(order, keyRow(claim)) : deps.db.read(order));
  if (!state) throw notFound('order');
  if (access) assertAccess(access, state);
  // What the order allows now is not what it allowed the first time.
  if (key) throw new IdempotencyConflict('idempotency_conflict');
  return state;
}

/**
 * One read, then one batch that is done only if the order and its ledger are as they were read: claim, change, timeline
 * and audit row. `plan` decides on what was read and may throw a refusal; it is asked again when somebody was faster.
 */
export async function changeOrder<Verb extends OrderVerb>(
  deps: Deps,
  orderId: string,
  asked: Asked,
  plan: (state: OrderState) => Verb,
): Promise<Verb> {
  const { actor, claim, requestId } = asked;
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const state = await readState(deps, orderId, asked);
    const verb = plan(state);
    const { action, type, details, told, resourceId } = verb;
    const resource = { type: 'order', id: orderId };
    try {
      await deps.db.commit(
        [
          ...claimStatements(claim, resourceId),
          ...requireUnchanged(state),
          ...verb.statements,
          insertChange({ id: deps.ids.uuid(), orderId, type, actor, details: { ...details, ...told } }),
          auditEntry({ id: deps.ids.uuid(), actor, action, resource, details, requestId }),
        ],
        orderState(orderId),
        { resend: claim !== null },
      );
      stockChanged(deps);
      deps.defer(() => drainOutbox(deps));
      return verb;
    } catch (error) {
      if (!(error instanceof FenceLost)) throw error;
    }
  }
  throw new AppError('conflict', 'The order is being changed by others. Try again.', { retryAfterS: 1 });
}
