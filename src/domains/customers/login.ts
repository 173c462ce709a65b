import type * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { verifyPassword } from '../../platform/auth/password.ts';
import { activeAccountByEmail, openSession, tokensOf, type Credentials } from '../identity/index.ts';
import { customerByEmail } from './queries/customers.ts';
import type { SignedIn } from './schema.ts';

/** An unknown e-mail costs one password derivation and reads like a wrong password. */
export async function login(deps: Deps, input: z.output<typeof Credentials>): Promise<SignedIn> {
  const [[account], [customer]] = await deps.db.read(activeAccountByEmail(input.email), customerByEmail(input.email));
  const isRight = await verifyPassword(input.password, account?.password_hash ?? null);
  if (!isRight || !account) throw new AppError('invalid_credentials', 'E-mail or password is wrong.');
  const [[session]] = await deps.db.write(openSession(deps, account.id));
  if (!session) throw new Error('no session was made');
  return { customer: customer ?? null, ...(await tokensOf(deps, session)) };
}
