import * as z from 'zod';
import { text } from '../../platform/http/schema.ts';
import { Credentials, Tokens } from './schema.ts';

const { password } = Credentials.shape;

export const TotpCode = z.string().regex(/^\d{6}$/, 'must be the six digits that the app shows');
/** Written as it was shown, or without case and hyphens. */
export const RecoveryCode = text(40);

export const TotpEnrollment = z.strictObject({ password });
export const TotpConfirmation = z.strictObject({ code: TotpCode });
export const TotpRemoval = z.strictObject({ password, code: TotpCode });

/** `secret` in base32, to type it; `otpauth_uri` to show it as a QR code. */
export const TotpSecret = z.object({ secret: z.string(), otpauth_uri: z.string() }).meta({ id: 'TotpSecret' });
export type TotpSecret = z.output<typeof TotpSecret>;

/** Each of the recovery codes stands in for one code of the app; they are not shown again. */
export const TotpActivated = Tokens.extend({ recovery_codes: z.array(z.string()) }).meta({ id: 'TotpActivated' });
export type TotpActivated = z.output<typeof TotpActivated>;
