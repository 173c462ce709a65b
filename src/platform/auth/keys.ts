import { createHash } from 'node:crypto';
import { unixSeconds, type Clock } from '../clock.ts';
import type { Config } from '../config.ts';

export type TokenUse = 'access' | 'refresh';

/** One secret of ours as a JSON Web Key (RFC 7517); `kid` is a digest of the secret and travels in each token's header. */
export interface SigningKey {
  kty: 'oct';
  k: string;
  alg: 'HS256';
  kid: string;
}

const KID_CHARS = 12;

function keyOf(secret: string): SigningKey {
  const kid = createHash('sha256').update(`kid:${secret}`).digest('base64url').slice(0, KID_CHARS);
  return { kty: 'oct', k: Buffer.from(secret).toString('base64url'), alg: 'HS256', kid };
}

interface KeyRing {
  current: SigningKey;
  previous: SigningKey | null;
}

const rings = new WeakMap<Config, Record<TokenUse, KeyRing>>();

/** Made once per configuration: a digest per request would be waste. */
function ringOf(config: Config, use: TokenUse): KeyRing {
  let known = rings.get(config);
  if (!known) {
    const ring = (current: string, previous: string | undefined): KeyRing => ({
      current: keyOf(current),
      previous: previous === undefined ? null : keyOf(previous),
    });
    known = {
      access: ring(config.JWT_ACCESS_SECRET, config.JWT_ACCESS_SECRET_PREVIOUS),
      refresh: ring(config.JWT_REFRESH_SECRET, config.JWT_REFRESH_SECRET_PREVIOUS),
    };
    rings.set(config, known);
  }
  return known[use];
}

export function signingKey(config: Config, use: TokenUse): SigningKey {
  return ringOf(config, use).current;
}

/** Seconds since the epoch until when tokens of the previous secret are good: one life of a token after the rotation. */
function previousEndS(config: Config, use: TokenUse): number {
  const rotatedS = Math.floor(Date.parse(config.JWT_ROTATED_AT ?? '') / 1000);
  return rotatedS + (use === 'access' ? config.JWT_ACCESS_TTL : config.JWT_REFRESH_TTL);
}

/** The key that a token's header names; null when it is none of ours, or the previous one after its time. */
export function verifyingKey(config: Config, clock: Clock, use: TokenUse, kid: unknown): SigningKey | null {
  const { current, previous } = ringOf(config, use);
  if (kid === current.kid) return current;
  if (kid !== previous?.kid || previous === null) return null;
  return unixSeconds(clock) < previousEndS(config, use) ? previous : null;
}

/** Tokens of the previous secret that claim to be younger than the rotation were made by somebody who found it. */
export function isAfterRotation(config: Config, key: SigningKey, use: TokenUse, iatS: number): boolean {
  return key.kid !== ringOf(config, use).current.kid && iatS * 1000 > Date.parse(config.JWT_ROTATED_AT ?? '');
}
