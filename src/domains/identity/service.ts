import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { issueTokens, readToken } from '../../platform/auth/token.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import { publishRevocations, repeatRevocations, revocationLifeS } from '../../platform/auth/revocation.ts';
import { insertSession, lateRevocations, refreshSession, revokeSession, type SessionRow } from './queries/sessions.ts';
import type { Tokens } from './schema.ts';

/** Both tokens of a session, made from its row. */
export async function tokensOf({ config, clock, ids }: Deps, session: SessionRow): Promise<Tokens> {
  return await issueTokens(config, clock, ids, {
    accountId: session.account_id,
    sessionId: session.id,
    kind: session.kind,
    generation: session.generation,
    rotatedAt: session.rotated_at,
    expiresAt: session.expires_at,
    permissions: session.permissions,
    mfa: session.mfa,
  });
}

/** A session of one account, for the caller's batch; its row makes the tokens. `mfa`: a second factor was shown. */
export function openSession({ config, ids }: Deps, accountId: string, { mfa = false } = {}): Sql<SessionRow> {
  return insertSession({ id: ids.uuid(), accountId, ttlS: config.JWT_REFRESH_TTL, mfa });
}

function spent(): AppError {
  return new AppError('unauthenticated', 'The refresh token is not valid any more.', { param: 'refresh_token' });
}

/**
 * Each refresh token is good once. Within seconds it answers the same successor again; later it ends the session, since
 * two hold what one was given (RFC 9700, 4.14.2).
 */
export async function refresh(deps: Deps, refreshToken: string): Promise<Tokens> {
  const { config, clock, db, log, metrics } = deps;
  const claims = await readToken(config, clock, refreshToken, 'refresh');
  const step = refreshSession(claims.sid, claims.gen ?? 0, config.JWT_REFRESH_TTL);
  // Sent again after a lost reply it meets its own rotation, which is seconds old.
  const [[session]] = await db.writeResent(step);
  if (!session) throw spent();
  if (session.outcome !== 'reused') return await tokensOf(deps, session);
  log.log('warn', 'spent refresh token came back', { user_id: loggableId(session.account_id) });
  metrics.count('ecommerce_session_reuse_total', []);
  await publishRevocations(deps, [session.id]);
  throw spent();
}

/** Ends the session of a refresh token; ending it twice is the same. */
export async function logout(deps: Deps, refreshToken: string): Promise<void> {
  const claims = await readToken(deps.config, deps.clock, refreshToken, 'refresh');
  const [ended] = await deps.db.writeResent(revokeSession(claims.sid, claims.sub));
  await publishRevocations(deps, ended.length > 0 ? [claims.sid] : []);
}

/** Says again what was revoked lately: Redis may have been away, or lost what it knew. */
export async function republishRevocations(deps: Deps): Promise<void> {
  const [sessions] = await deps.db.read(lateRevocations(revocationLifeS(deps.config)));
  await repeatRevocations(
    deps,
    sessions.map(({ id }) => id),
  );
}
