import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { issueTokens, readToken } from '../../platform/auth/token.ts';
import { insertSession, revokeReusedSession, revokeSession, rotateSession } from './queries.ts';
import type { Tokens } from './schema.ts';
import type { Sql } from '../../platform/db/sql.ts';

export interface NewSession {
  statement: Sql;
  tokens(): Promise<Tokens>;
}

/** A session of one account: the statement goes into the caller's batch, the tokens are signed after it commits. */
export function openSession(deps: Deps, account: { id: string; kind: 'customer' | 'staff' }): NewSession {
  const { config, clock, ids } = deps;
  const sessionId = ids.uuid();
  return {
    statement: insertSession(sessionId, account.id, config.JWT_REFRESH_TTL),
    tokens: () => issueTokens(config, clock, { accountId: account.id, sessionId, kind: account.kind, generation: 1 }),
  };
}

/** Each refresh token is good once; one that comes back ends the session. */
export async function refresh(deps: Deps, refreshToken: string): Promise<Tokens> {
  const { config, clock, db } = deps;
  const claims = await readToken(config, clock, refreshToken, 'refresh');
  const generation = claims.gen ?? 0;
  const [, [session]] = await db.write(
    revokeReusedSession(claims.sid, generation),
    rotateSession(claims.sid, generation, config.JWT_REFRESH_TTL),
  );
  if (!session)
    throw new AppError('unauthenticated', 'The refresh token is not valid any more.', { param: 'refresh_token' });
  return await issueTokens(config, clock, {
    accountId: session.account_id,
    sessionId: claims.sid,
    kind: session.kind,
    generation: session.generation,
  });
}

/** Ends the session of a refresh token; ending it twice is the same. */
export async function logout(deps: Deps, refreshToken: string): Promise<void> {
  const claims = await readToken(deps.config, deps.clock, refreshToken, 'refresh');
  await deps.db.writeResent(revokeSession(claims.sid, claims.sub));
}
