import type * as z from 'zod';
import type { Deps } from '../../../platform/deps.ts';
import type { Sql } from '../../../platform/db/sql.ts';
import { AppError } from '../../../platform/errors.ts';
import { digestOf } from '../../../platform/auth/credential.ts';
import { unixSeconds } from '../../../platform/clock.ts';
import { assertUnlocked, countFailure, passAttempt, readLock, reentryAttempt } from '../lockout.ts';
import { liveTicket, spendTicket } from '../queries/oidc.ts';
import { proofById, type ProofRow } from '../queries/sign-in.ts';
import { spendRecoveryCode, spendStep } from '../queries/totp.ts';
import { recoveryDigest } from '../recovery-codes.ts';
import type { Tokens } from '../schema.ts';
import { openSession, tokensOf } from '../service.ts';
import { matchingStep } from '../totp.ts';
import type { TicketUse } from './schema.ts';

const APP_CODE = /^\d{6}$/;

const wrongCode = () =>
  new AppError('totp_required', 'The code is wrong, too old or was used before.', { param: 'code' });

function expired(): AppError {
  return new AppError('unauthenticated', 'This sign-in is not valid any more. Start again.', { param: 'login_ticket' });
}

/** Null when the code of an authenticator app is wrong. A recovery code has 80 bits: the batch itself refuses a wrong one. */
async function spendCode({ clock }: Deps, account: ProofRow, code: string): Promise<Sql | null> {
  const { id, totp_secret, totp_active, totp_last_step } = account;
  if (!APP_CODE.test(code)) return spendRecoveryCode(id, await recoveryDigest(code));
  if (totp_secret === null || !totp_active) return null;
  const step = matchingStep(totp_secret, code, unixSeconds(clock), totp_last_step);
  return step === null ? null : spendStep(id, totp_secret, step);
}

/**
 * The second half of a sign-in at a provider: a ticket is good for one session and five minutes, and wrong codes lock
 * the account's second factor however many tickets there are. 401 unauthenticated for the ticket, totp_required for the code.
 */
export async function completeSignIn<Row>(
  deps: Deps,
  { login_ticket, code }: z.output<typeof TicketUse>,
  readProfile: (accountId: string) => Sql<Row>,
): Promise<Tokens & { profile: Row | null }> {
  const [accountId = '', secret = ''] = login_ticket.split('.');
  const digest = await digestOf(secret);
  const attempt = await reentryAttempt(deps.config, accountId);
  const [tickets, [lock], [account]] = await deps.db.read(
    liveTicket(accountId, digest),
    readLock(attempt),
    proofById(accountId),
  );
  if (tickets.length === 0 || !account) throw expired();
  assertUnlocked(lock);
  const spend = await spendCode(deps, account, code);
  if (!spend) {
    await countFailure(deps, attempt);
    deps.metrics.count('ecommerce_logins_total', ['failure']);
    throw wrongCode();
  }
  const [, , [session], [profile]] = await deps.db.write(
    spendTicket(accountId, digest),
    spend,
    openSession(deps, accountId, { mfa: true }),
    readProfile(accountId),
    ...passAttempt(attempt, wrongCode()),
  );
  if (!session) throw new Error('no session was made');
  deps.metrics.count('ecommerce_logins_total', ['success']);
  return { profile: profile ?? null, ...(await tokensOf(deps, session)) };
}
