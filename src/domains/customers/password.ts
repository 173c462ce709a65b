import type { Actor } from '../../platform/auth/actor.ts';
import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { hashPassword, verifyPassword } from '../../platform/auth/password.ts';
import { publishRevocations } from '../../platform/auth/revocation.ts';
import { openSession, revokeSessionsOf, tokensOf, type Tokens } from '../identity/index.ts';
import { passwordOf, replacePassword } from './queries/password.ts';
import type { PasswordChange } from './schema.ts';

/**
 * Ends every session of the account, the caller's own too, and answers the tokens of a new one. 401 invalid_credentials
 * when the current password is wrong or there is none.
 */
export async function changePassword(
  deps: Deps,
  { accountId, sessionId }: Extract<Actor, { kind: 'customer' }>,
  { current_password, new_password }: PasswordChange,
): Promise<Tokens> {
  const [[account]] = await deps.db.read(passwordOf(accountId, sessionId));
  const stored = account?.password_hash ?? null;
  const isRight = await verifyPassword(current_password, stored);
  if (!isRight || !account || stored === null) {
    throw new AppError('invalid_credentials', 'The current password is wrong.', { param: 'current_password' });
  }
  const to = await hashPassword(new_password);
  const [ended, [session]] = await deps.db.write(
    revokeSessionsOf(accountId),
    openSession(deps, accountId, { mfa: account.mfa }),
    ...replacePassword(accountId, { from: stored, to }),
  );
  if (!session) throw new Error('no session was made');
  await publishRevocations(
    deps,
    ended.map(({ id }) => id),
  );
  return await tokensOf(deps, session);
}
