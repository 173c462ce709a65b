import { createHmac } from 'node:crypto';
import { equalSecret } from '../../platform/auth/hmac.ts';

/** RFC 6238 as authenticator apps have it: SHA-1, 30 seconds, 6 digits. */
const STEP_S = 30;
const DIGITS = 6;
/** Steps before and after the present one whose codes are good: clocks differ, and typing takes time (RFC 6238, 5.2). */
const WINDOW_STEPS = 1;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const BITS_PER_CHAR = 5;

/** RFC 4648, section 6, without padding. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= BITS_PER_CHAR) {
      bits -= BITS_PER_CHAR;
      text += BASE32[(held >> bits) & 31];
      held &= (1 << bits) - 1;
    }
  }
  return bits > 0 ? text + BASE32[(held << (BITS_PER_CHAR - bits)) & 31] : text;
}

/** Of our own making only: throws on anything else. */
export function fromBase32(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * BITS_PER_CHAR) / 8));
  let bits = 0;
  let held = 0;
  let length = 0;
  for (const char of text) {
    const value = BASE32.indexOf(char);
    if (value === -1) throw new Error('not base32');
    held = (held << BITS_PER_CHAR) | value;
    bits += BITS_PER_CHAR;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length] = held >> bits;
    length += 1;
    held &= (1 << bits) - 1;
  }
  return bytes;
}

/** The 30-second step that a moment, in seconds since the epoch, lies in. */
function stepAt(unixS: number): number {
  return Math.floor(unixS / STEP_S);
}

/** HOTP of one counter value (RFC 4226, 5.3). */
export function codeAt(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = mac.readUInt8(mac.length - 1) & 0x0f;
  const number = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, '0');
}

/** The step that a code belongs to, of those in the window and after `lastStep`, which was the last one used; else null. */
export function matchingStep(secret: string, code: string, unixS: number, lastStep: number): number | null {
  const key = fromBase32(secret);
  const now = stepAt(unixS);
  const steps = Array.from({ length: 2 * WINDOW_STEPS + 1 }, (_, index) => now - WINDOW_STEPS + index);
  // Every step is computed whichever fits, so that time tells nothing.
  const matches = steps.filter((step) => equalSecret(codeAt(key, step), code));
  return matches.find((step) => step > lastStep) ?? null;
}

/** What an authenticator app reads as a QR code: the Key Uri Format of Google Authenticator. */
export function otpauthUri(secret: string, { issuer, account }: { issuer: string; account: string }): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  const parameters = `secret=${secret}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1`;
  return `otpauth://totp/${label}?${parameters}&digits=${DIGITS}&period=${STEP_S}`;
}
