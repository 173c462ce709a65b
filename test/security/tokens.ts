import { createHmac } from 'node:crypto';
import type { Json } from '../support/shop.ts';

const encode = (part: Json): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const decode = (part: string | undefined): Json => JSON.parse(Buffer.from(part ?? '', 'base64url').toString());

/** A JWT (RFC 7519) with any header and any claims, as a forger would write it. */
export function jwt(header: Json, claims: Json, secret: string, digest = 'sha256'): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac(digest, secret).update(signed).digest('base64url')}`;
}

export function unsigned(header: Json, claims: Json): string {
  return `${encode(header)}.${encode(claims)}.`;
}

export function partsOf(token: string): { header: Json; claims: Json } {
  const [header, claims] = token.split('.');
  return { header: decode(header), claims: decode(claims) };
}
