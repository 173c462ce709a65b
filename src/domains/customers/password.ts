import type { Actor } from '../../platform/auth/actor.ts';
import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { hashPassword, verifyPassword } from '../../platform/auth/password.ts';
import { publishRevocations } from '../../platform/auth/revocation.ts';
import {
  assertGoodPassword,
  assertUnlocked,
  countFailure,
  openSession,
  passAttempt,
  readLock,
  reentryAttempt,
  revokeSessionsOf,
  tokensOf,
  type Tokens,
} from '../identity/index.ts';
import { sendMail } from '../notifications/index.ts';
import { passwordOf, replacePassword, voidResets } from './queries/password.ts';
import type { PasswordChange } from './schema.ts';

const wrongPassword = () =>
  new AppError('invalid_credentials', 'The current password is wrong.', { param: 'current_password' });

/**
 * Ends every session of the account, the caller's own too, and answers the tokens of a new one; links that were
 * mailed to set a password are void. 401 invalid_credentials when the current password is wrong or there is none, 429 login_locked after too many.
 */
export async function changePassword(
  deps: Deps,
  { accountId, sessionId }: Extract<Actor, { kind: 'customer' }>,
  { current_password, new_password }: PasswordChange,
): Promise<Tokens> {
  const attempt = await reentryAttempt(deps.config, accountId);
  const [[lock], [account]] = await deps.db.read(readLock(attempt), passwordOf(accountId, sessionId));
  assertUnlocked(lock);
  const from = account?.password_hash ?? null;
  const isRight = await verifyPassword(current_password, from);
  if (!isRight || !account || from === null) {
    await countFailure(deps, attempt);
    throw wrongPassword();
  }
  const { email, first_name, last_name, mfa } = account;
  const names = [deps.config.SERVICE_NAME, first_name, last_name];
  assertGoodPassword(new_password, { email, names, param: 'new_password' });
  const to = await hashPassword(new_password);
  // The account first: a sign-in with the old password holds it, and its session must be seen when the sessions end.
  const [, , ended, [session]] = await deps.db.write(
    replacePassword(accountId, { from, to }),
    voidResets(accountId),
    revokeSessionsOf(accountId),
    openSession(deps, accountId, { mfa }),
    ...passAttempt(attempt, wrongPassword()),
  );
  if (!session) throw new Error('no session was made');
  await publishRevocations(
    deps,
    ended.map(({ id }) => id),
  );
  deps.defer(() => sendMail(deps, { to: email, template: 'password_changed', params: {} }));
  return await tokensOf(deps, session);
}
