import { Refusal } from './shapes.ts';

export interface Reply {
  status: number;
  body: unknown;
}

interface Entry {
  fingerprint: string;
  reply?: Reply;
}

/** Replays a key's stored reply; refuses the key with other parameters, and a twin in flight. */
export class IdempotencyKeys {
  readonly #entries = new Map<string, Entry>();
  readonly #failedOnce = new Set<string>();

  /** The stored reply, or `undefined` when the caller now holds the key and must `store` or `release` it. */
  claim(key: string, fingerprint: string): Reply | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { fingerprint });
      return undefined;
    }
    const type = 'idempotency_error';
    if (entry.fingerprint !== fingerprint) {
      throw new Refusal(400, { type, message: 'This key was used with other parameters.' });
    }
    if (entry.reply !== undefined) return entry.reply;
    throw new Refusal(409, { type, code: 'idempotency_key_in_use', message: 'A request with this key is in flight.' });
  }

  store(key: string, reply: Reply): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.reply = structuredClone(reply);
  }

  release(key: string): void {
    if (this.#entries.get(key)?.reply === undefined) this.#entries.delete(key);
  }

  /** True for the first call of a key (always, without one). */
  firstFailure(key: string | undefined): boolean {
    if (key === undefined) return true;
    if (this.#failedOnce.has(key)) return false;
    this.#failedOnce.add(key);
    return true;
  }
}
