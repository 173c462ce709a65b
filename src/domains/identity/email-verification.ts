import type { Deps } from '../../platform/deps.ts';
import { digestOf } from '../../platform/auth/credential.ts';
import { sendMail } from '../notifications/index.ts';
import { MAIL_SPACING_S, newAccountToken } from './account-tokens.ts';
import { verifyEmail } from './queries/tokens.ts';

/** 422 token_invalid when it was used, has expired, or the account has another address by now. */
export async function confirmEmail(deps: Deps, token: string): Promise<void> {
  await deps.db.write(verifyEmail(await digestOf(token)));
}

/** Mails another link, unless the address is proven or the last link is seconds old. */
export async function resendVerification(deps: Deps, accountId: string): Promise<void> {
  const { link, statement } = await newAccountToken(deps, accountId, 'email_verification', {
    spacingS: MAIL_SPACING_S,
  });
  const [[row]] = await deps.db.writeResent(statement);
  if (row) deps.defer(() => sendMail(deps, { to: row.email, template: 'email_verification', params: link }));
}
