import * as z from 'zod';
import { text } from '../../../platform/http/schema.ts';
import { PROVIDER_NAME } from '../../../platform/auth/oidc-bindings.ts';

export const ProviderParam = z.object({ provider: z.string().regex(PROVIDER_NAME) });

export const OidcStartRequest = z.strictObject({ redirect_uri: z.url().max(500) });

/** `expires_in` is how long the sign-in may take, in seconds. */
export const OidcStart = z
  .object({ authorization_url: z.url(), state: z.string(), login_verifier: z.string(), expires_in: z.int() })
  .meta({ id: 'OidcStart' });
export type OidcStart = z.output<typeof OidcStart>;

/** Visible ASCII (RFC 6749, appendix A), but for the percent sign: one that is left over is of an escape that is none. */
const visible = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\x21-\x24\x26-\x7e]+$/, 'must be visible ASCII');

/** Of what the provider added to the shop's address, the parts that count (RFC 6749, 4.1.2; RFC 9207). */
export const OidcAnswer = z
  .strictObject({
    state: z.string().regex(/^[\w-]{22}$/, 'must be the state of a sign-in that was started here'),
    code: visible(2_048).optional(),
    error: visible(100).optional(),
    iss: visible(500).optional(),
  })
  .refine(({ code, error }) => code !== undefined || error !== undefined, {
    path: ['code'],
    error: 'Send the code, or the error that came instead.',
  });
export type OidcAnswer = z.output<typeof OidcAnswer>;

/** What a refusal with totp_required answers, and a code of the authenticator app or a recovery code. */
export const TicketUse = z.strictObject({
  login_ticket: z.string().regex(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.[\w-]{22}$/, 'must be a login_ticket'),
  code: text(40, 6),
});

export const LoginVerifier = z.string().regex(/^[\w-]{22}$/);
