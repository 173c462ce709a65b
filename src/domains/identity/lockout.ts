import { AppError } from '../../platform/errors.ts';
import { hmacSha256Base64url } from '../../platform/auth/hmac.ts';
import type { Config } from '../../platform/config.ts';
import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { clearFailures, lockState, noteFailure, requireUnlocked, type LockRow } from './queries/lockout.ts';

/** One thing that failures are counted against. */
export interface LockSubject {
  /** Keyed, so that no dump tells an e-mail or an address. */
  digest: string;
  /** From this many on each further failure locks, twice as long as the one before. */
  failuresMax: number;
  /** One failure is forgotten for each stretch of so many seconds that passed without another; seconds. */
  forgetS: number;
}

/** What a try at a password or a code counts against; success clears what is the person's own. */
export interface Attempt {
  own: readonly LockSubject[];
  shared: readonly LockSubject[];
}

const QUARTER_HOUR_S = 900;

async function subject(config: Config, name: string, failuresMax: number, forgetS: number): Promise<LockSubject> {
  const digest = await hmacSha256Base64url(config.JWT_REFRESH_SECRET, `login failures of ${name}`);
  return { digest, failuresMax, forgetS };
}

/**
 * A sign-in from outside. Somebody else's guesses lock their own network long before they lock the person out; a network
 * of many people forgets a failure a minute.
 */
export async function loginAttempt(config: Config, email: string, network: string): Promise<Attempt> {
  const address = email.toLowerCase();
  const [pair, account, shared] = await Promise.all([
    subject(config, `email ${address} network ${network}`, 5, QUARTER_HOUR_S),
    subject(config, `email ${address}`, 20, QUARTER_HOUR_S),
    subject(config, `network ${network}`, 50, 60),
  ]);
  return { own: [pair, account], shared: [shared] };
}

/** Somebody signed in shows password or code again: a token that was stolen must not serve to guess them. */
export async function reentryAttempt(config: Config, accountId: string): Promise<Attempt> {
  return { own: [await subject(config, `account ${accountId}`, 5, QUARTER_HOUR_S)], shared: [] };
}

function subjectsOf({ own, shared }: Attempt): LockSubject[] {
  return [...own, ...shared];
}

function digestsOf(attempt: Attempt): string[] {
  return subjectsOf(attempt).map(({ digest }) => digest);
}

/** Throws 429 when what was read with readLock() says so: nothing is hashed then, whoever asks. */
export function assertUnlocked(lock: LockRow | undefined): void {
  if (!lock) return;
  throw new AppError('login_locked', 'Too many failed sign-ins. Try again later.', {
    retryAfterS: lock.retry_after_s,
  });
}

/** One batch. Each failure counts, however many come at once. */
export async function countFailure(deps: Deps, attempt: Attempt): Promise<void> {
  await deps.db.write(...subjectsOf(attempt).map(noteFailure));
}

/**
 * For the batch that a right answer runs. It looks at the locks again: of a thousand guesses sent at once all were read
 * before the first one counted, and the right one among them must neither pass nor be told: `wrong` is what others hear.
 */
export function passAttempt(attempt: Attempt, wrong: AppError): Sql[] {
  return [requireUnlocked(digestsOf(attempt), wrong), ...attempt.own.map(clearFailures)];
}

export function readLock(attempt: Attempt): Sql<LockRow> {
  return lockState(digestsOf(attempt));
}
