import type * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import {
  completeSignIn,
  finishOidcLogin,
  signInIdentity,
  type OidcAnswer,
  type TicketUse,
  type Tokens,
} from '../identity/index.ts';
import { customerById, type CustomerRow } from './queries/customers.ts';
import { customerByIdentity, insertCustomerOfNew } from './queries/oidc.ts';
import type { SignedIn } from './schema.ts';

const toSignedIn = ({ profile, ...tokens }: Tokens & { profile: CustomerRow | null }): SignedIn => ({
  customer: profile,
  ...tokens,
});

/** Somebody comes back from a provider: two round trips to the database, with the calls to the provider between them. */
export async function signInByOidc(
  deps: Deps,
  provider: string,
  answer: OidcAnswer,
  verifier: string,
): Promise<SignedIn> {
  const person = await finishOidcLogin(deps, provider, answer, verifier);
  const id = deps.ids.uuid();
  const signedIn = await signInIdentity(deps, person, {
    newAccountId: id,
    insertProfile: insertCustomerOfNew({ id, first_name: person.firstName, last_name: person.lastName }),
    readProfile: customerByIdentity(person),
  });
  return toSignedIn(signedIn);
}

/** The same somebody shows a second factor. */
export async function completeOidcSignIn(deps: Deps, input: z.output<typeof TicketUse>): Promise<SignedIn> {
  return toSignedIn(await completeSignIn(deps, input, customerById));
}
