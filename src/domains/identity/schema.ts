import * as z from 'zod';
import { email, storable } from '../../platform/http/schema.ts';

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
