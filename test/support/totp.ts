import { createHmac } from 'node:crypto';
import { call, type Json } from './shop.ts';
import type { Person } from './people.ts';
import type { Stack } from './stack.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** What an authenticator app shows for a secret, `steps` half minutes from now; its own reading of RFC 6238. */
export function appCode(secret: string, steps = 0): string {
  const bits = Array.from(secret, (char) => ALPHABET.indexOf(char).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = (Math.floor(Date.now() / 30_000) + steps).toString(16).padStart(16, '0');
  const mac = createHmac('sha1', key).update(Buffer.from(counter, 'hex')).digest('hex');
  const offset = Number.parseInt(mac.at(-1) ?? '', 16) * 2;
  const number = BigInt(`0x${mac.slice(offset, offset + 8)}`) & 0x7fffffffn;
  return (number % 1_000_000n).toString().padStart(6, '0');
}

/** Six digits that are no code of the secret about now. */
export function wrongCode(secret: string): string {
  const near = new Set([-3, -2, -1, 0, 1, 2, 3].map((steps) => appCode(secret, steps)));
  return ['000000', '111111', '222222', '333333', '444444', '555555', '666666', '777777'].find(
    (code) => !near.has(code),
  )!;
}

export interface Enrolled {
  secret: string;
  recoveryCodes: string[];
  /** Of the session that began with the second factor. */
  token: string;
  refreshToken: string;
}

/** Turns the second factor of somebody who is signed in on. The code of the present half minute is used up. */
export async function enrollTotp(stack: Stack, { token, password }: Pick<Person, 'token' | 'password'>) {
  const enrolled = await call(stack, 'POST', '/auth/totp/enroll', { password }, { token });
  if (enrolled.status !== 200) throw new Error(`not enrolled: ${enrolled.text}`);
  const { secret }: Json = enrolled.body;
  const verified = await call(stack, 'POST', '/auth/totp/verify', { code: appCode(secret) }, { token });
  if (verified.status !== 200) throw new Error(`not verified: ${verified.text}`);
  const { recovery_codes: recoveryCodes, access_token, refresh_token: refreshToken } = verified.body;
  const result: Enrolled = { secret, recoveryCodes, token: access_token, refreshToken };
  return result;
}
