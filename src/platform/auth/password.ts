import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors.ts';

/** scrypt parameters (RFC 7914): 16 MiB and about 0.2 s a hash; an isolate has 128 MiB. */
const COST = { N: 2 ** 14, r: 8, p: 5 };
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const CONCURRENT_MAX = 2;
const WAITING_MAX = 16;

let running = 0;
const waiting: (() => void)[] = [];

/** Two hashes at once bound the isolate's memory; a longer queue than sixteen would outlive its callers. */
async function withSlot<T>(work: () => Promise<T>): Promise<T> {
  if (running < CONCURRENT_MAX) {
    running += 1;
  } else if (waiting.length < WAITING_MAX) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else {
    throw new AppError('overloaded', 'Too many sign-ins at once. Try again shortly.', { retryAfterS: 2 });
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

function derive(password: string, salt: Uint8Array, cost: typeof COST): Promise<Buffer> {
  const maxmem = 256 * cost.N * cost.r;
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, KEY_BYTES, { ...cost, maxmem }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

/** `scrypt$N$r$p$salt$key`, salt and key in base64. */
export function hashPassword(password: string): Promise<string> {
  return withSlot(async () => {
    const salt = randomBytes(SALT_BYTES);
    const key = await derive(password, salt, COST);
    return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), key.toString('base64')].join('$');
  });
}

/** Whether a hash was made at another cost than today's: make it anew when the password is at hand. */
export function needsRehash(stored: string): boolean {
  const [, N, r, p] = stored.split('$').map(Number);
  return N !== COST.N || r !== COST.r || p !== COST.p;
}

/** A hash of nothing, so that an unknown e-mail costs exactly one derivation, as a known one does. */
const ABSENT = `scrypt$${COST.N}$${COST.r}$${COST.p}$${'A'.repeat(22)}==$${'A'.repeat(43)}=`;

/** Constant-time in the password; `stored` null (no such account) takes as long and is always false. */
export function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  return withSlot(async () => {
    const [scheme, N, r, p, salt, key] = (stored ?? ABSENT).split('$');
    if (scheme !== 'scrypt' || salt === undefined || key === undefined) {
      throw new Error('unreadable password hash');
    }
    const derived = await derive(password, Buffer.from(salt, 'base64'), { N: Number(N), r: Number(r), p: Number(p) });
    return timingSafeEqual(derived, Buffer.from(key, 'base64')) && stored !== null;
  });
}
