import type * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import { hashPassword } from '../../platform/auth/password.ts';
import { insertAccount, openSession, tokensOf } from '../identity/index.ts';
import { customerById, insertCustomer } from './queries/customers.ts';
import type { Registration, SignedIn } from './schema.ts';

/** One batch: account, profile and session, or none of them. 409 email_taken when the address has an account. */
export async function register(deps: Deps, input: z.output<typeof Registration>): Promise<SignedIn> {
  const id = deps.ids.uuid();
  const password_hash = await hashPassword(input.password);
  const [, , [session], [customer]] = await deps.db.write(
    insertAccount({ id, kind: 'customer', email: input.email, password_hash }),
    insertCustomer({ id, first_name: input.first_name ?? null, last_name: input.last_name ?? null }),
    openSession(deps, id),
    customerById(id),
  );
  if (!session) throw new Error('no session was made');
  return { customer: customer ?? null, ...(await tokensOf(deps, session)) };
}
