import { base64url } from '../id.ts';

/** Closes a reply's text for storage and opens it again; `open` answers null for what another seal closed. */
export interface ReplySeal {
  close(text: string): Promise<string>;
  open(sealed: string): Promise<string | null>;
}

const NONCE_BYTES = 12;

/** HKDF (RFC 5869): only who knows the secret and can send the request again byte for byte has this key. */
async function deriveKey(secret: string, request: ArrayBuffer, name: string): Promise<CryptoKey> {
  const encoder = new TextEncoder();
  const material = new Uint8Array([...encoder.encode(secret), ...new Uint8Array(request)]);
  const base = await crypto.subtle.importKey('raw', material, 'HKDF', false, ['deriveKey']);
  const kdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encoder.encode(`reply ${name}`) };
  return await crypto.subtle.deriveKey(kdf, base, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
}

function toBase64url(bytes: Uint8Array): string {
  const chunks: string[] = [];
  // One call takes only so many arguments; a multiple of three keeps padding at the end.
  for (let start = 0; start < bytes.length; start += 24_576)
    chunks.push(base64url(bytes.subarray(start, start + 24_576)));
  return chunks.join('');
}

/**
 * AES-256-GCM under a key of its own for each request (`name` is its scope and idempotency key, `request` its exact
 * bytes): what lies in the database says nothing of the people in it, not even together with the server's secret.
 */
export function replySeal(secret: string, request: ArrayBuffer, name: string): ReplySeal {
  return {
    close: async (text) => {
      const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const key = await deriveKey(secret, request, name);
      const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, new TextEncoder().encode(text));
      return toBase64url(new Uint8Array([...iv, ...new Uint8Array(sealed)]));
    },
    open: async (sealed) => {
      try {
        const bytes = fromBase64url(sealed);
        const key = await deriveKey(secret, request, name);
        const iv = bytes.subarray(0, NONCE_BYTES);
        const text = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, bytes.subarray(NONCE_BYTES));
        return new TextDecoder().decode(text);
      } catch {
        // Another secret, or a row of before there were seals.
        return null;
      }
    },
  };
}
