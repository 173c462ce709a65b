import type { Clock } from './clock.ts';

/** Made in the Worker, so that every id exists before the batch that writes it and a resend carries the same one. */
export interface Ids {
  /** UUIDv7 (RFC 9562, 5.7): sorts by time, for rows. */
  uuid: () => string;
  /** 128 random bits as 22 base64url characters, for capabilities; never guessable from the time. */
  capability: () => string;
  /** Human-readable and unguessable in sequence: date, then 40 random bits in Crockford base32. */
  orderNumber: () => string;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function uuidv7(unixMs: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setUint16(0, Math.floor(unixMs / 2 ** 32));
  new DataView(bytes.buffer).setUint32(2, unixMs % 2 ** 32);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

export function createIds(clock: Clock): Ids {
  return {
    uuid: () => uuidv7(clock.now().getTime()),
    capability: () => base64url(crypto.getRandomValues(new Uint8Array(16))),
    orderNumber: () => {
      const day = clock.now().toISOString().slice(2, 10).replaceAll('-', '');
      const random = crypto.getRandomValues(new Uint8Array(8));
      return `${day}-${Array.from(random, (byte) => CROCKFORD[byte % 32]).join('')}`;
    },
  };
}
