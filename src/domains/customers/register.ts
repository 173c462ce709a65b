import type * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import { hashPassword } from '../../platform/auth/password.ts';
import { assertGoodPassword, insertAccount, newAccountToken, openSession, tokensOf } from '../identity/index.ts';
import { sendMail } from '../notifications/index.ts';
import { customerById, insertCustomer } from './queries/customers.ts';
import type { Registration, SignedIn } from './schema.ts';

/**
 * One batch: account, profile, session and the token that proves the address, or none of them. 409 email_taken when the
 * address has an account.
 */
export async function register(deps: Deps, input: z.output<typeof Registration>): Promise<SignedIn> {
  const { email, password, first_name = null, last_name = null } = input;
  assertGoodPassword(password, { email, names: [deps.config.SERVICE_NAME, first_name, last_name] });
  const id = deps.ids.uuid();
  const password_hash = await hashPassword(password);
  const { link, statement } = await newAccountToken(deps, id, 'email_verification');
  const [, , [session], [customer]] = await deps.db.write(
    insertAccount({ id, kind: 'customer', email, password_hash }),
    insertCustomer({ id, first_name, last_name }),
    openSession(deps, id),
    customerById(id),
    statement,
  );
  if (!session) throw new Error('no session was made');
  deps.defer(() => sendMail(deps, { to: email, template: 'email_verification', params: link }));
  return { customer: customer ?? null, ...(await tokensOf(deps, session)) };
}
