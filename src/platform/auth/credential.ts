import { AppError } from '../errors.ts';
import { readToken, type Claims } from './token.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';

/** What the Authorization header shows, before anything is looked up. */
export type Credential = { kind: 'none' } | { kind: 'session'; claims: Claims } | { kind: 'key'; digest: string };

const API_KEY = /^sk_[\w-]{43}$/;

export async function digestOf(secret: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** No I/O. A bad credential is refused, never taken for a guest. */
export async function readCredential(config: Config, clock: Clock, header: string | undefined): Promise<Credential> {
  if (header === undefined) return { kind: 'none' };
  const token = /^Bearer ([\w.~+/=-]{1,4096})$/i.exec(header)?.[1];
  if (token === undefined) {
    throw new AppError('unauthenticated', 'Send Authorization: Bearer <token>.', { param: 'Authorization' });
  }
  if (!token.startsWith('sk_')) return { kind: 'session', claims: await readToken(config, clock, token, 'access') };
  if (!API_KEY.test(token)) throw unknownKey();
  return { kind: 'key', digest: await digestOf(token) };
}

export function unknownKey(): AppError {
  return new AppError('unauthenticated', 'The API key is unknown, expired or revoked.', { param: 'Authorization' });
}
