import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { digestOf } from '../../platform/auth/credential.ts';
import { hashPassword } from '../../platform/auth/password.ts';
import { publishRevocations } from '../../platform/auth/revocation.ts';
import { sendMail } from '../notifications/index.ts';
import { MAIL_SPACING_S, newAccountToken } from './account-tokens.ts';
import { loginAttempt } from './lockout.ts';
import { assertGoodPassword } from './passwords.ts';
import { clearFailures } from './queries/lockout.ts';
import { revokeSessionsOf } from './queries/sessions.ts';
import { accountByEmail, consumeToken, resetPassword, tokenOwner, voidTokens } from './queries/tokens.ts';

/**
 * Mails a link to whoever has an account. Up to the reply it is one read, whoever asks: what is done for a known address
 * only, and would take longer, is done after it.
 */
export async function forgotPassword(deps: Deps, email: string): Promise<void> {
  const [[account]] = await deps.db.read(accountByEmail(email));
  if (!account) return;
  deps.defer(async () => {
    const { link, statement } = await newAccountToken(deps, account.id, 'password_reset', {
      spacingS: MAIL_SPACING_S,
    });
    const [[row]] = await deps.db.writeResent(statement);
    if (row) await sendMail(deps, { to: row.email, template: 'password_reset', params: link });
  });
}

/**
 * One read and one batch: the token is used up, the password set, every session ended, and whatever else was mailed is
 * void. Failed sign-ins from this network are forgotten. A weak password leaves the token as it is. 422 token_invalid.
 */
export async function choosePassword(
  deps: Deps,
  { token, password, network }: { token: string; password: string; network: string },
): Promise<void> {
  const digest = await digestOf(token);
  const [[owner]] = await deps.db.read(tokenOwner('password_reset', digest));
  if (!owner) {
    throw new AppError('token_invalid', 'The token was used, has expired or was never issued.', { param: 'token' });
  }
  assertGoodPassword(password, { email: owner.email, names: [deps.config.SERVICE_NAME] });
  const [hash, { own }] = await Promise.all([hashPassword(password), loginAttempt(deps.config, owner.email, network)]);
  const [, , , ended] = await deps.db.write(
    consumeToken('password_reset', digest),
    resetPassword(owner.id, hash),
    voidTokens(owner.id),
    revokeSessionsOf(owner.id),
    ...own.map(clearFailures),
  );
  await publishRevocations(
    deps,
    ended.map(({ id }) => id),
  );
  deps.defer(() => sendMail(deps, { to: owner.email, template: 'password_changed', params: {} }));
}
