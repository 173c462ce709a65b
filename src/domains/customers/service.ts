import type * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { hashPassword, verifyPassword } from '../../platform/auth/password.ts';
import { activeAccountByEmail, insertAccount, openSession, type Credentials } from '../identity/index.ts';
import { customerByEmail, customerById, insertCustomer } from './queries.ts';
import type { Registration, SignedIn } from './schema.ts';

/** One batch: account, profile and session, or none of them. 409 email_taken when the address has an account. */
export async function register(deps: Deps, input: z.output<typeof Registration>): Promise<SignedIn> {
  const id = deps.ids.uuid();
  const password_hash = await hashPassword(input.password);
  const session = openSession(deps, { id, kind: 'customer' });
  const [, , , [customer]] = await deps.db.write(
    insertAccount({ id, kind: 'customer', email: input.email, password_hash }),
    insertCustomer({ id, first_name: input.first_name ?? null, last_name: input.last_name ?? null }),
    session.statement,
    customerById(id),
  );
  return { customer: customer ?? null, ...(await session.tokens()) };
}

/** An unknown e-mail costs one password derivation and reads like a wrong password. */
export async function login(deps: Deps, input: z.output<typeof Credentials>): Promise<SignedIn> {
  const [[account], [customer]] = await deps.db.read(activeAccountByEmail(input.email), customerByEmail(input.email));
  const isRight = await verifyPassword(input.password, account?.password_hash ?? null);
  if (!isRight || !account) throw new AppError('invalid_credentials', 'E-mail or password is wrong.');
  const session = openSession(deps, account);
  await deps.db.write(session.statement);
  return { customer: customer ?? null, ...(await session.tokens()) };
}
