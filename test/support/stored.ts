import { vi } from 'vitest';
import type { Stack } from './stack.ts';

/** The reply, sealed, that is kept under an Idempotency-Key; null before it is stored. */
export async function storedReply({ owner }: Stack, key: string): Promise<string | null> {
  const { rows } = await owner.query<{ body: string | null }>('select body from idempotency_keys where key = $1', [
    key,
  ]);
  return rows[0]?.body ?? null;
}

/** Waits until it is: it is stored right after it is sent, and a retry before that may be told more than the first was. */
export async function awaitStored(stack: Stack, key: string): Promise<string> {
  return await vi.waitFor(
    async () => {
      const body = await storedReply(stack, key);
      if (body === null) throw new Error(`no reply is stored under ${key}`);
      return body;
    },
    { timeout: 30_000, interval: 20 },
  );
}
