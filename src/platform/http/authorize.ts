import { AppError } from '../errors.ts';
import { isPermitted, type Actor } from '../auth/actor.ts';
import type { Config } from '../config.ts';
import type { Operation } from './operation.ts';

const param = 'Authorization';

function notForKeys(): AppError {
  return new AppError('forbidden', 'This is for people, not for API keys.', { param });
}

function assertStaff(config: Config, actor: Actor, { permission, apiKeys }: Operation): void {
  if (actor.kind === 'customer') throw new AppError('forbidden', 'This is for staff.', { param });
  if (actor.kind !== 'staff' && actor.kind !== 'key') return;
  if (actor.kind === 'staff' && !actor.mfa && config.ENVIRONMENT === 'production') {
    throw new AppError('totp_enrollment_required', 'Enroll a second factor and sign in with it.', { param });
  }
  if (actor.kind === 'key' && apiKeys === 'refused') throw notForKeys();
  // A staff route that names no permission is nobody's.
  if (permission === undefined || !isPermitted(actor.permissions, permission)) {
    throw new AppError('forbidden', `This needs the permission ${permission ?? 'of nobody'}.`, { param });
  }
}

/** Who may call a route at all, by what the credential alone says; whose rows they see is in each statement. */
export function assertAuthorized(config: Config, actor: Actor, operation: Operation): void {
  const { auth } = operation;
  if (auth === 'none' || auth === 'optional' || auth === 'metrics') return;
  if (actor.kind === 'guest') throw new AppError('unauthenticated', 'Sign in first.', { param });
  if (auth === 'staff') return assertStaff(config, actor, operation);
  if (actor.kind === 'key') throw notForKeys();
  if (auth === 'customer' && actor.kind === 'staff') {
    throw new AppError('forbidden', 'This is for customers.', { param });
  }
}
