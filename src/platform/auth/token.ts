import { sign, verify } from 'hono/jwt';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { unixSeconds, type Clock } from '../clock.ts';
import type { Config } from '../config.ts';

const AUDIENCE = 'api';
/** Clocks of two machines may differ by this much; seconds. */
const TOLERANCE_S = 30;

const Claims = z.object({
  sub: z.uuid(),
  sid: z.uuid(),
  kind: z.enum(['customer', 'staff']),
  token_use: z.enum(['access', 'refresh']),
  gen: z.int().min(1).optional(),
  iat: z.int(),
  exp: z.int(),
});

export type Claims = z.output<typeof Claims>;

export interface TokenSubject {
  accountId: string;
  sessionId: string;
  kind: 'customer' | 'staff';
  /** The session's generation; a refresh token is good for one. */
  generation: number;
}

/** Both tokens of a session; `expires_in` is the access token's life in seconds. */
export async function issueTokens(config: Config, clock: Clock, subject: TokenSubject) {
  const iat = unixSeconds(clock);
  const shared = { sub: subject.accountId, sid: subject.sessionId, kind: subject.kind, iat };
  const registered = { iss: config.SERVICE_NAME, aud: AUDIENCE };
  const [access_token, refresh_token] = await Promise.all([
    sign(
      { ...registered, ...shared, token_use: 'access', exp: iat + config.JWT_ACCESS_TTL },
      config.JWT_ACCESS_SECRET,
      'HS256',
    ),
    sign(
      { ...registered, ...shared, token_use: 'refresh', gen: subject.generation, exp: iat + config.JWT_REFRESH_TTL },
      config.JWT_REFRESH_SECRET,
      'HS256',
    ),
  ]);
  return { access_token, refresh_token, token_type: 'Bearer' as const, expires_in: config.JWT_ACCESS_TTL };
}

/** Expiry, issue time and use, on the injected clock (RFC 8725, 3.8 to 3.12). Null when a claim does not hold. */
export function checkClaims(payload: unknown, use: Claims['token_use'], nowS: number): Claims | null {
  const claims = Claims.safeParse(payload);
  if (!claims.success || claims.data.token_use !== use) return null;
  const { exp, iat } = claims.data;
  return exp + TOLERANCE_S > nowS && iat - TOLERANCE_S <= nowS ? claims.data : null;
}

/** Signature, algorithm, issuer and audience are the library's; it would read its own clock for the rest. */
export async function readToken(
  config: Config,
  clock: Clock,
  token: string,
  use: Claims['token_use'],
): Promise<Claims> {
  const secret = use === 'access' ? config.JWT_ACCESS_SECRET : config.JWT_REFRESH_SECRET;
  let claims: Claims | null = null;
  try {
    const payload = await verify(token, secret, {
      alg: 'HS256',
      iss: config.SERVICE_NAME,
      aud: AUDIENCE,
      exp: false,
      nbf: false,
      iat: false,
    });
    claims = checkClaims(payload, use, unixSeconds(clock));
  } catch {
    claims = null;
  }
  if (!claims) {
    const param = use === 'access' ? 'Authorization' : 'refresh_token';
    throw new AppError('unauthenticated', 'The token is not valid or has expired.', { param });
  }
  return claims;
}
