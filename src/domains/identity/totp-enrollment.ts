import type { Deps } from '../../platform/deps.ts';
import type { Actor } from '../../platform/auth/actor.ts';
import { AppError } from '../../platform/errors.ts';
import { publishRevocations } from '../../platform/auth/revocation.ts';
import { unixSeconds } from '../../platform/clock.ts';
import { verifyPassword } from '../../platform/auth/password.ts';
import { auditEntry } from '../audit/index.ts';
import { assertUnlocked, countFailure, passAttempt, readLock, reentryAttempt, type Attempt } from './lockout.ts';
import { proofById, type ProofRow } from './queries/sign-in.ts';
import { revokeSessionsOf } from './queries/sessions.ts';
import {
  confirmSecret,
  dropSecret,
  insertRecoveryCodes,
  putPendingSecret,
  removeRecoveryCodes,
  spendStep,
} from './queries/totp.ts';
import { newRecoveryCodes, randomBytes, recoveryDigest } from './recovery-codes.ts';
import { openSession, tokensOf } from './service.ts';
import { base32, matchingStep, otpauthUri } from './totp.ts';
import type { TotpActivated, TotpSecret } from './totp-schema.ts';

export type Person = Extract<Actor, { kind: 'customer' | 'staff' }>;

/** 160 bits, as long as SHA-1's output (RFC 4226, 4). */
const SECRET_BYTES = 20;

async function readProof(deps: Deps, person: Person): Promise<{ attempt: Attempt; account: ProofRow }> {
  const attempt = await reentryAttempt(deps.config, person.accountId);
  const [[lock], [account]] = await deps.db.read(readLock(attempt), proofById(person.accountId));
  assertUnlocked(lock);
  if (!account) throw new AppError('unauthenticated', 'The account is closed.', { param: 'Authorization' });
  return { attempt, account };
}

const wrongPassword = () => new AppError('invalid_credentials', 'The password is wrong.', { param: 'password' });
const wrongCode = () =>
  new AppError('totp_required', 'The code is wrong, too old or was used before.', { param: 'code' });

async function assertPassword(deps: Deps, attempt: Attempt, account: ProofRow, password: string): Promise<void> {
  if (await verifyPassword(password, account.password_hash)) return;
  await countFailure(deps, attempt);
  throw wrongPassword();
}

/** The step that the code belongs to; a wrong or used one counts as a failure. */
async function assertCode(deps: Deps, attempt: Attempt, account: ProofRow, secret: string, code: string) {
  const step = matchingStep(secret, code, unixSeconds(deps.clock), account.totp_last_step);
  if (step !== null) return step;
  await countFailure(deps, attempt);
  throw wrongCode();
}

/** A secret for an authenticator app. Nothing changes for the account until a code of it is shown. */
export async function enroll(deps: Deps, person: Person, password: string): Promise<TotpSecret> {
  const { attempt, account } = await readProof(deps, person);
  await assertPassword(deps, attempt, account, password);
  const secret = base32(randomBytes(deps.ids, SECRET_BYTES));
  await deps.db.write(...passAttempt(attempt, wrongPassword()), putPendingSecret(account.id, secret));
  return { secret, otpauth_uri: otpauthUri(secret, { issuer: deps.config.SERVICE_NAME, account: account.email }) };
}

/**
 * Makes the second factor needed from now on: every session until now ends, since none of them has shown it, and a new
 * one begins. The recovery codes are shown this once.
 */
export async function activate(
  deps: Deps,
  person: Person,
  { code, requestId }: { code: string; requestId: string },
): Promise<TotpActivated> {
  const { attempt, account } = await readProof(deps, person);
  const { id, totp_secret: secret } = account;
  if (secret === null || account.totp_active) {
    const text = secret === null ? 'Enroll a second factor first.' : 'The second factor is active already.';
    throw new AppError('conflict', text);
  }
  const step = await assertCode(deps, attempt, account, secret, code);
  const codes = newRecoveryCodes(deps.ids);
  const digests = await Promise.all(codes.map(recoveryDigest));
  const action = 'accounts.enable_totp';
  const results = await deps.db.write(
    confirmSecret(id, secret, step),
    removeRecoveryCodes(id),
    insertRecoveryCodes(id, digests),
    auditEntry({ id: deps.ids.uuid(), actor: person, action, resource: { type: 'account', id }, requestId }),
    revokeSessionsOf(id),
    openSession(deps, id, { mfa: true }),
    ...passAttempt(attempt, wrongCode()),
  );
  const [, , , , ended, [session]] = results;
  if (!session) throw new Error('no session was made');
  await publishRevocations(
    deps,
    ended.map((each) => each.id),
  );
  return { recovery_codes: codes, ...(await tokensOf(deps, session)) };
}

/** Ends every session but the caller's. Staff of a shop in production cannot be without. */
export async function disable(
  deps: Deps,
  person: Person,
  { password, code, requestId }: { password: string; code: string; requestId: string },
): Promise<void> {
  if (person.kind === 'staff' && deps.config.ENVIRONMENT === 'production') {
    throw new AppError('forbidden', 'Staff need a second factor.', { param: 'Authorization' });
  }
  const { attempt, account } = await readProof(deps, person);
  const { id, totp_secret: secret } = account;
  await assertPassword(deps, attempt, account, password);
  if (secret === null || !account.totp_active) throw new AppError('conflict', 'No second factor is active.');
  const step = await assertCode(deps, attempt, account, secret, code);
  const action = 'accounts.disable_totp';
  const [, , , , ended] = await deps.db.write(
    spendStep(id, secret, step),
    dropSecret(id),
    removeRecoveryCodes(id),
    auditEntry({ id: deps.ids.uuid(), actor: person, action, resource: { type: 'account', id }, requestId }),
    revokeSessionsOf(id, person.sessionId),
    ...passAttempt(attempt, wrongCode()),
  );
  await publishRevocations(
    deps,
    ended.map((each) => each.id),
  );
}
