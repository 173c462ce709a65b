import type * as NodeCrypto from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { hashPassword, verifyPassword } from '../../src/platform/auth/password.ts';

/** Hashes that are running now; each waits until the test ends it. */
const held = vi.hoisted(() => ({ isHolding: false, running: [] as (() => void)[] }));

vi.mock('node:crypto', async (importActual) => {
  const actual = await importActual<typeof NodeCrypto>();
  type Done = (error: Error | null, key: Buffer) => void;
  const scrypt = (password: string, salt: Uint8Array, bytes: number, options: object, done: Done): void => {
    if (held.isHolding) held.running.push(() => done(null, Buffer.alloc(bytes)));
    else actual.scrypt(password, salt, bytes, options, done);
  };
  return { ...actual, scrypt };
});

beforeEach(() => {
  held.isHolding = false;
  held.running = [];
});

describe('a password', () => {
  test('is recognised by its hash, and another one is not', async () => {
    const stored = await hashPassword('correct horse battery');
    expect(await verifyPassword('correct horse battery', stored)).toBe(true);
    expect(await verifyPassword('correct horse batterY', stored)).toBe(false);
  });

  test('is stored with the cost that was chosen and a salt of its own', async () => {
    const [one, other] = await Promise.all([hashPassword('same password'), hashPassword('same password')]);
    expect(one).toMatch(/^scrypt\$16384\$8\$5\$[\w+/]{22}==\$[\w+/]{43}=$/);
    expect(one).not.toBe(other);
    expect(one).not.toContain('same password');
  });

  test('is the same however its accents are composed', async () => {
    const stored = await hashPassword('caf\u00e9 au lait');
    expect(await verifyPassword('cafe\u0301 au lait', stored)).toBe(true);
  });

  test('is verified at the cost it was hashed with', async () => {
    const { scryptSync } = await vi.importActual<typeof NodeCrypto>('node:crypto');
    const salt = Buffer.alloc(16, 7);
    const key = scryptSync('older password', salt, 32, { N: 1024, r: 8, p: 1 });
    const stored = `scrypt$1024$8$1$${salt.toString('base64')}$${key.toString('base64')}`;
    expect(await verifyPassword('older password', stored)).toBe(true);
  });

  test('is never right for an account that does not exist, and takes one derivation all the same', async () => {
    held.isHolding = true;
    const verdict = verifyPassword('anything', null);
    expect(held.running).toHaveLength(1);
    held.running.shift()?.();
    expect(await verdict).toBe(false);
  });

  test('is not checked against a hash that cannot be read', async () => {
    await expect(verifyPassword('anything', 'md5$abc')).rejects.toThrow('unreadable');
    // The refusal gave its slot back.
    await expect(verifyPassword('anything', null)).resolves.toBe(false);
  });
});

describe('hashing under load', () => {
  test('two run at once, sixteen wait their turn, the rest is told to come back', async () => {
    held.isHolding = true;
    let refused = 0;
    const all = Array.from({ length: 40 }, async (_, index) => {
      try {
        await hashPassword(`password ${index}`);
        return 'done';
      } catch (error) {
        refused += 1;
        return error;
      }
    });
    await vi.waitFor(() => expect(refused).toBe(22), { timeout: 30_000 });
    let finished = 0;
    while (finished < 18) {
      await vi.waitFor(() => expect(held.running).toHaveLength(Math.min(2, 18 - finished)), { timeout: 30_000 });
      held.running.shift()?.();
      finished += 1;
    }
    const outcomes = await Promise.all(all);
    expect(outcomes.slice(0, 18)).toEqual(Array.from({ length: 18 }, () => 'done'));
    for (const refusal of outcomes.slice(18)) {
      expect(refusal).toMatchObject({ code: 'overloaded', options: { retryAfterS: 2 } });
    }
  });
});
