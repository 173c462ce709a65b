import type { Actor } from '../../platform/auth/actor.ts';
import type { Deps } from '../../platform/deps.ts';
import { AppError, notFound } from '../../platform/errors.ts';
import { publishRevocations } from '../../platform/auth/revocation.ts';
import { endSession, liveSessionsOf, revokeSessionsOf } from './queries/sessions.ts';
import type { Session } from './schema.ts';

type Person = Extract<Actor, { sessionId: string }>;

/** Whoever signed in themselves. */
export function personOf(actor: Actor): Person {
  if (actor.kind === 'customer' || actor.kind === 'staff') return actor;
  throw new AppError('forbidden', 'This is for people who signed in.', { param: 'Authorization' });
}

/** The latest used first. */
export async function listSessions(deps: Deps, { accountId, sessionId }: Person): Promise<Session[]> {
  const [rows] = await deps.db.read(liveSessionsOf(accountId));
  return rows.map((row) => ({ ...row, current: row.id === sessionId }));
}

/** Every other session of the person. */
export async function endOtherSessions(deps: Deps, { accountId, sessionId }: Person): Promise<void> {
  const [ended] = await deps.db.writeResent(revokeSessionsOf(accountId, sessionId));
  await publishRevocations(
    deps,
    ended.map(({ id }) => id),
  );
}

/** 404 for a session that is not the person's; one that has ended already is ended again. */
export async function endOneSession(deps: Deps, { accountId }: Person, id: string): Promise<void> {
  const [[ended]] = await deps.db.writeResent(endSession(id, accountId));
  if (!ended) throw notFound('session');
  await publishRevocations(deps, [id]);
}
