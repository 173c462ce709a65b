import type { Deps } from '../../../platform/deps.ts';
import type { Sql } from '../../../platform/db/sql.ts';
import { AppError } from '../../../platform/errors.ts';
import { digestOf } from '../../../platform/auth/credential.ts';
import {
  insertAccountFor,
  insertTicketFor,
  linkedAccount,
  linkIdentity,
  openSessionFor,
  requireLinked,
  type Identity,
} from '../queries/oidc.ts';
import type { Tokens } from '../schema.ts';
import { tokensOf } from '../service.ts';
import { refused } from './calls.ts';

const TICKET_TTL_S = 300;

export interface LinkedSignIn<Row> {
  /** Of the account that is made when the identity and its e-mail are new. */
  newAccountId: string;
  /** Makes what belongs to that account, if it was made. */
  insertProfile: Sql;
  readProfile: Sql<Row>;
}

/**
 * The account behind an identity, found, linked or made in the batch that opens its session: nothing is read before that
 * a race could make untrue. 409 account_not_linked when the e-mail is not proved on both sides, or is a staff member's;
 * 401 when the account is closed; 401 totp_required with a `login_ticket` when it has a second factor.
 */
export async function signInIdentity<Row>(
  deps: Deps,
  identity: Identity,
  { newAccountId, insertProfile, readProfile }: LinkedSignIn<Row>,
): Promise<Tokens & { profile: Row | null }> {
  const ticket = deps.ids.capability();
  const [, , , , [account], [session], , [profile]] = await deps.db.write(
    insertAccountFor(newAccountId, identity),
    insertProfile,
    linkIdentity(identity),
    requireLinked(identity),
    linkedAccount(identity),
    openSessionFor(identity, { id: deps.ids.uuid(), ttlS: deps.config.JWT_REFRESH_TTL }),
    insertTicketFor(identity, { digest: await digestOf(ticket), ttlS: TICKET_TTL_S }),
    readProfile,
  );
  if (!account) throw refused();
  if (!session) {
    deps.metrics.count('ecommerce_logins_total', ['second_factor_needed']);
    throw new AppError('totp_required', 'Send a code of your authenticator app, or a recovery code.', {
      param: 'code',
      members: { login_ticket: `${account.id}.${ticket}` },
    });
  }
  deps.metrics.count('ecommerce_logins_total', ['success']);
  return { profile: profile ?? null, ...(await tokensOf(deps, session)) };
}
