import type { Clock } from './clock.ts';
import { isHidden } from './telemetry/redact.ts';

/** Made in the Worker, so that every id exists before the batch that writes it and a resend carries the same one. */
export interface Ids {
  /** UUIDv7 (RFC 9562, 5.7): sorts by time, for rows. */
  uuid: () => string;
  /** 128 random bits as 22 base64url characters, for capabilities; never guessable from the time. */
  capability: () => string;
  /** 256 random bits as 43 base64url characters, for API keys. */
  secret: () => string;
  /** Human-readable and unguessable in sequence: date, then 40 random bits in Crockford base32. */
  orderNumber: () => string;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

const COUNTER_MAX = 0xfff;
let last = { unixMs: 0, counter: 0 };

/** Rises within a millisecond as well (RFC 9562, 6.2, method 1), so rows of one batch keep the order of their making. */
function nextInstant(unixMs: number): { unixMs: number; counter: number } {
  if (unixMs > last.unixMs) {
    last = { unixMs, counter: crypto.getRandomValues(new Uint8Array(1))[0] ?? 0 };
  } else if (last.counter < COUNTER_MAX) {
    last = { ...last, counter: last.counter + 1 };
  } else {
    last = { unixMs: last.unixMs + 1, counter: 0 };
  }
  return last;
}

function uuidv7(nowMs: number): string {
  const { unixMs, counter } = nextInstant(nowMs);
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(unixMs / 2 ** 32));
  view.setUint32(2, unixMs % 2 ** 32);
  view.setUint16(6, 0x7000 | counter);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** Random bytes as base64url. One in 35,000 does not look like a secret, so that a log would show it: another is drawn. */
function drawSecret(bytes: number): string {
  const drawn = base64url(crypto.getRandomValues(new Uint8Array(bytes)));
  return isHidden(drawn) ? drawn : drawSecret(bytes);
}

export function createIds(clock: Clock): Ids {
  return {
    uuid: () => uuidv7(clock.now().getTime()),
    capability: () => drawSecret(16),
    secret: () => drawSecret(32),
    orderNumber: () => {
      const day = clock.now().toISOString().slice(2, 10).replaceAll('-', '');
      const random = crypto.getRandomValues(new Uint8Array(8));
      return `${day}-${Array.from(random, (byte) => CROCKFORD[byte % 32]).join('')}`;
    },
  };
}
