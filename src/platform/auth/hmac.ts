import { timingSafeEqual } from 'node:crypto';
import { base64url } from '../id.ts';

async function hmac(secret: string, message: string): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const encoder = new TextEncoder();
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(message)));
}

export async function hmacSha256Base64(secret: string, message: string): Promise<string> {
  return btoa(String.fromCharCode(...(await hmac(secret, message))));
}

export async function hmacSha256Base64url(secret: string, message: string): Promise<string> {
  return base64url(await hmac(secret, message));
}

export async function hmacSha256Hex(secret: string, message: string): Promise<string> {
  return Array.from(await hmac(secret, message), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Constant-time in the content: how long it takes says nothing of where two texts differ. */
export function equalSecret(left: string, right: string): boolean {
  const encoder = new TextEncoder();
  const [a, b] = [encoder.encode(left), encoder.encode(right)];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
