import { decode, sign, verify } from 'hono/jwt';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { unixSeconds, type Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Ids } from '../id.ts';
import { isAfterRotation, signingKey, verifyingKey, type TokenUse } from './keys.ts';

const AUDIENCE = 'api';
/** Clocks of two machines may differ by this much; seconds. */
const TOLERANCE_S = 30;

const Claims = z.object({
  sub: z.uuid(),
  sid: z.uuid(),
  jti: z.string().min(1).max(100),
  kind: z.enum(['customer', 'staff']),
  token_use: z.enum(['access', 'refresh']),
  /** What staff may do, separated by spaces (RFC 9068, 2.2.3). */
  scope: z.string().max(4096).optional(),
  /** Whether a second factor was shown when the session began. */
  mfa: z.boolean().optional(),
  gen: z.int().min(1).optional(),
  iat: z.int(),
  nbf: z.int().optional(),
  exp: z.int(),
});

export type Claims = z.output<typeof Claims>;

/** A session as its row has it; both tokens are made from it alone. */
export interface TokenSubject {
  accountId: string;
  sessionId: string;
  kind: 'customer' | 'staff';
  /** The session's generation; a refresh token is good for one. */
  generation: number;
  /** When this generation began and when the session ends, as RFC 3339. */
  rotatedAt: string;
  expiresAt: string;
  permissions: readonly string[];
  mfa: boolean;
}

const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);

/**
 * Both tokens of a session; `expires_in` is the access token's life in seconds. The refresh token is a function of the
 * session's row: minted again in the grace window it is the same, byte for byte.
 */
export async function issueTokens(config: Config, clock: Clock, ids: Ids, subject: TokenSubject) {
  const nowS = unixSeconds(clock);
  const { accountId, sessionId, kind, generation, permissions, mfa } = subject;
  const registered = { iss: config.SERVICE_NAME, aud: AUDIENCE, sub: accountId, sid: sessionId, kind };
  const access = {
    ...registered,
    token_use: 'access',
    jti: ids.uuid(),
    ...(kind === 'staff' && { scope: permissions.join(' '), mfa }),
    iat: nowS,
    exp: nowS + config.JWT_ACCESS_TTL,
  };
  const refresh = {
    ...registered,
    token_use: 'refresh',
    jti: `${sessionId}.${generation}`,
    gen: generation,
    iat: seconds(subject.rotatedAt),
    exp: seconds(subject.expiresAt),
  };
  const [access_token, refresh_token] = await Promise.all([
    sign(access, signingKey(config, 'access')),
    sign(refresh, signingKey(config, 'refresh')),
  ]);
  return { access_token, refresh_token, token_type: 'Bearer' as const, expires_in: config.JWT_ACCESS_TTL };
}

/** Expiry, times and use, on the injected clock (RFC 8725, 3.8 to 3.12). Null when a claim does not hold. */
export function checkClaims(payload: unknown, use: TokenUse, nowS: number): Claims | null {
  const claims = Claims.safeParse(payload);
  if (!claims.success || claims.data.token_use !== use) return null;
  const { exp, iat, nbf = iat } = claims.data;
  const isCurrent = exp + TOLERANCE_S > nowS && iat - TOLERANCE_S <= nowS && nbf - TOLERANCE_S <= nowS;
  return isCurrent ? claims.data : null;
}

/** Signature, algorithm, type, issuer and audience are the library's; it would read its own clock for the rest. */
async function verified(config: Config, clock: Clock, token: string, use: TokenUse): Promise<Claims | null> {
  try {
    const { header } = decode(token);
    const key = verifyingKey(config, clock, use, 'kid' in header ? header.kid : undefined);
    if (!key) return null;
    const payload = await verify(token, key, {
      alg: 'HS256',
      typ: 'JWT',
      iss: config.SERVICE_NAME,
      aud: AUDIENCE,
      exp: false,
      nbf: false,
      iat: false,
    });
    const claims = checkClaims(payload, use, unixSeconds(clock));
    return claims && !isAfterRotation(config, key, use, claims.iat) ? claims : null;
  } catch {
    return null;
  }
}

/** No round trip. Throws unauthenticated, naming where the token came from. */
export async function readToken(config: Config, clock: Clock, token: string, use: TokenUse): Promise<Claims> {
  const claims = await verified(config, clock, token, use);
  if (claims) return claims;
  const param = use === 'access' ? 'Authorization' : 'refresh_token';
  throw new AppError('unauthenticated', 'The token is not valid or has expired.', { param });
}
