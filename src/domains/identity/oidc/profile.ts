import * as oauth from 'oauth4webapi';
import * as z from 'zod';
import { email, storable, text } from '../../../platform/http/schema.ts';
import { refused } from './calls.ts';
import type { Peer } from './provider.ts';

/** OpenID Connect Core 1.0, 2: at most 255 ASCII characters. */
const Subject = storable.min(1).max(255);

const name = text(100).nullable().catch(null);

/** What is believed of a person; anything of another shape is as good as not said. */
const Claims = z.object({
  email: email
    .refine((value) => value.isWellFormed())
    .nullable()
    .catch(null),
  // Some providers send the text "true": whether that was meant is not ours to guess.
  email_verified: z.literal(true).nullable().catch(null),
  given_name: name,
  family_name: name,
});

/** A person as a provider knows them. `provider` and `subject` identify them, the e-mail never does by itself. */
export interface OidcProfile {
  provider: string;
  subject: string;
  /** Null unless the provider says that it has verified it. */
  verifiedEmail: string | null;
  firstName: string | null;
  lastName: string | null;
}

/** From the checked ID token; providers that put only the subject there are asked for the rest (Core 1.0, 5.3). */
export async function profileOf(
  { server, client, calls }: Peer,
  provider: string,
  tokens: oauth.TokenEndpointResponse,
): Promise<OidcProfile> {
  const idToken = oauth.getValidatedIdTokenClaims(tokens);
  const subject = Subject.safeParse(idToken?.sub);
  if (!idToken || !subject.success) throw refused();
  const isAsked = idToken['email'] === undefined && server.userinfo_endpoint !== undefined;
  const said = isAsked
    ? await oauth.processUserInfoResponse(
        server,
        client,
        subject.data,
        await oauth.userInfoRequest(server, client, tokens.access_token, calls),
      )
    : idToken;
  const claims = Claims.parse(said);
  return {
    provider,
    subject: subject.data,
    verifiedEmail: claims.email_verified ? claims.email : null,
    firstName: claims.given_name,
    lastName: claims.family_name,
  };
}
