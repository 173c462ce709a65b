import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { FenceLost } from '../../platform/db/errors.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { hashPassword, needsRehash, verifyPassword } from '../../platform/auth/password.ts';
import { unixSeconds } from '../../platform/clock.ts';
import { assertUnlocked, countFailure, loginAttempt, passAttempt, readLock, type Attempt } from './lockout.ts';
import { proofByEmail, replaceHash, requireSameProof, type SignInRow } from './queries/sign-in.ts';
import type { SessionRow } from './queries/sessions.ts';
import { spendRecoveryCode, spendStep } from './queries/totp.ts';
import { recoveryDigest } from './recovery-codes.ts';
import { openSession } from './service.ts';
import { matchingStep } from './totp.ts';

/** What somebody who signs in shows. */
export interface Shown {
  email: string;
  password: string;
  /** A code of the app, or a recovery code in its place. */
  totpCode?: string | undefined;
  recoveryCode?: string;
  /** The caller's address, as failures are counted against it. */
  network: string;
}

/** How the batch that opens the session makes use of what was shown. */
interface Factor {
  mfa: boolean;
  spends: Sql[];
}

const wrongPassword = () => new AppError('invalid_credentials', 'E-mail or password is wrong.');
const wrongCode = () => new AppError('totp_required', 'The code is wrong, too old or was used before.');

/** Null when the code that was shown is wrong. */
function factorOf(deps: Deps, account: SignInRow, { totpCode = '' }: Shown, recovery: string | null): Factor | null {
  const { id, totp_active, totp_secret, totp_last_step, recovery_code_good } = account;
  if (recovery !== null) {
    if (!totp_active || !recovery_code_good) return null;
    return { mfa: true, spends: [spendRecoveryCode(id, recovery)] };
  }
  if (!totp_active || totp_secret === null) return { mfa: false, spends: [] };
  const step = matchingStep(totp_secret, totpCode, unixSeconds(deps.clock), totp_last_step);
  if (step === null) return null;
  return { mfa: true, spends: [spendStep(id, totp_secret, step)] };
}

/** The cost of a hash is raised when its password passes by, after the reply. */
function rehashLater(deps: Deps, { id, password_hash }: SignInRow, password: string): void {
  if (password_hash === null || !needsRehash(password_hash)) return;
  deps.defer(async () => deps.db.writeResent(replaceHash(id, password_hash, await hashPassword(password))));
}

interface SignedInRow<Row> {
  session: SessionRow;
  also: Row | undefined;
}

async function refuse(deps: Deps, attempt: Attempt, wrong: AppError): Promise<never> {
  await countFailure(deps, attempt);
  throw wrong;
}

/** Who has the password hears that a code is needed; not of a guess that came before a lock, as in passAttempt(). */
async function askForCode(deps: Deps, attempt: Attempt): Promise<never> {
  const [[lock]] = await deps.db.read(readLock(attempt));
  throw lock ? wrongPassword() : new AppError('totp_required', 'Send totp_code as well.', { param: 'totp_code' });
}

async function tryOnce<Row>(deps: Deps, shown: Shown, attempt: Attempt, also: Sql<Row>): Promise<SignedInRow<Row>> {
  const recovery = shown.recoveryCode === undefined ? null : await recoveryDigest(shown.recoveryCode);
  const [[lock], [account], [other]] = await deps.db.read(readLock(attempt), proofByEmail(shown.email, recovery), also);
  assertUnlocked(lock);
  const isRight = await verifyPassword(shown.password, account?.password_hash ?? null);
  if (!isRight || !account) return await refuse(deps, attempt, wrongPassword());
  if (account.totp_active && recovery === null && shown.totpCode === undefined) return await askForCode(deps, attempt);
  const factor = factorOf(deps, account, shown, recovery);
  if (!factor) return await refuse(deps, attempt, wrongCode());
  const { mfa, spends } = factor;
  const session = await deps.db.commit(
    [...passAttempt(attempt, mfa ? wrongCode() : wrongPassword()), requireSameProof(account), ...spends],
    openSession(deps, account.id, { mfa }),
    { resend: false },
  );
  if (!session) throw new Error('no session was made');
  rehashLater(deps, account, shown.password);
  return { session, also: other };
}

/** Null when the refusal says nothing of what was shown. */
function outcomeOf({ code, options }: AppError): 'failure' | 'locked' | 'second_factor_needed' | null {
  if (code === 'login_locked') return 'locked';
  if (code === 'invalid_credentials') return 'failure';
  if (code !== 'totp_required') return null;
  return options.param === 'totp_code' ? 'second_factor_needed' : 'failure';
}

/**
 * One read, one hash and one write, whether the e-mail is known or not; a lock answers before the hash. That a second
 * factor is needed is told only to whoever has the password. `also` is read along, by the e-mail.
 * Errors: invalid_credentials, totp_required, login_locked, overloaded.
 */
export async function signIn<Row>(deps: Deps, shown: Shown, also: Sql<Row>): Promise<SignedInRow<Row>> {
  const { config, metrics } = deps;
  const attempt = await loginAttempt(config, shown.email, shown.network);
  // Password or second factor changed between read and write: what is true now decides.
  const again = (error: unknown) => {
    if (error instanceof FenceLost) return tryOnce(deps, shown, attempt, also);
    throw error;
  };
  try {
    const signedIn = await tryOnce(deps, shown, attempt, also).catch(again);
    metrics.count('ecommerce_logins_total', ['success']);
    return signedIn;
  } catch (error) {
    const outcome = error instanceof AppError ? outcomeOf(error) : null;
    if (outcome) metrics.count('ecommerce_logins_total', [outcome]);
    throw error;
  }
}
