import * as z from 'zod';
import { email, listOf, storable, timestamp, uuid } from '../../platform/http/schema.ts';

const PASSWORD_MIN = 10;
/** scrypt takes any length; a bound keeps a megabyte from being hashed. */
const PASSWORD_MAX = 200;

export const Password = storable.min(PASSWORD_MIN).max(PASSWORD_MAX);
export const Credentials = z.strictObject({ email, password: storable.min(1).max(PASSWORD_MAX) });

const Jwt = z
  .string()
  .max(4096)
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/, 'must be a token that we issued');
export const TokenRequest = z.strictObject({ refresh_token: Jwt });

const MailedToken = z.string().regex(/^[\w-]{22}$/, 'must be a token from a mail of ours');
export const ForgotPassword = z.strictObject({ email });
export const PasswordReset = z.strictObject({ token: MailedToken, password: Password });
export const EmailVerification = z.strictObject({ token: MailedToken });

/** `last_used_at` is when its tokens were last refreshed. */
export const Session = z
  .object({
    id: uuid,
    created_at: timestamp,
    last_used_at: timestamp,
    expires_at: timestamp,
    current: z.boolean(),
  })
  .meta({ id: 'Session' });
export type Session = z.output<typeof Session>;
export const SessionList = listOf(Session).meta({ id: 'SessionList' });

/** `expires_in` is the access token's life in seconds. */
export const Tokens = z
  .object({
    access_token: z.string(),
    refresh_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
  })
  .meta({ id: 'Tokens' });
export type Tokens = z.output<typeof Tokens>;
