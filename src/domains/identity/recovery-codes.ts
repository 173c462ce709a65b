import { digestOf } from '../../platform/auth/credential.ts';
import type { Ids } from '../../platform/id.ts';
import { base32 } from './totp.ts';

const CODES = 10;
/** 80 bits: what a digest of one is worth to whoever holds a dump. */
const CODE_BYTES = 10;
const GROUP = /.{4}(?=.)/g;

/** Bytes that nobody can guess. */
export function randomBytes(ids: Ids, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const some = Buffer.from(ids.capability(), 'base64url').subarray(0, length - filled);
    bytes.set(some, filled);
    filled += some.length;
  }
  return bytes;
}

/** `ABCD-EFGH-IJKL-MNOP`, each good once. */
export function newRecoveryCodes(ids: Ids): string[] {
  return Array.from({ length: CODES }, () => base32(randomBytes(ids, CODE_BYTES)).replaceAll(GROUP, '$&-'));
}

/** Only this is stored. Case, spaces and hyphens do not matter: people type these from paper. */
export function recoveryDigest(code: string): Promise<string> {
  return digestOf(`recovery:${code.toUpperCase().replaceAll(/[\s-]/g, '')}`);
}
