import type { Deps } from '../../platform/deps.ts';
import { signIn, tokensOf, type Shown } from '../identity/index.ts';
import { customerByEmail } from './queries/customers.ts';
import type { SignedIn } from './schema.ts';

/** The profile comes with the read that looks for the account; errors are those of signIn(). */
export async function login(deps: Deps, shown: Shown): Promise<SignedIn> {
  const { session, also: customer } = await signIn(deps, shown, customerByEmail(shown.email));
  return { customer: customer ?? null, ...(await tokensOf(deps, session)) };
}
