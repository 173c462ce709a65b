import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commonPasswordsSource } from '../../dev/passwords/list.ts';
import { assertGoodPassword } from '../../src/domains/identity/passwords.ts';
import { AppError } from '../../src/platform/errors.ts';
import { call } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

const LIST = path.resolve(import.meta.dirname, '../../src/domains/identity/passwords-common.ts');
const BUDGET_BYTES = 15 * 1024;
const ADA = {
  email: 'ada.lovelace@analytical.example.test',
  names: ['Corner-Shop', 'Ada', 'Lovelace', null, undefined],
};

/** What is said of a password; null when nothing is. */
function refusalOf(password: string, context = ADA): string | null {
  try {
    assertGoodPassword(password, context);
    return null;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.message;
  }
}

describe('a password is refused', () => {
  test.each([
    'password123',
    'PassWord123',
    'qwerty12345',
    '1q2w3e4r5t',
    'basketball',
    'Football2024!',
    'sunshine!!!!',
    '123456monkey',
    'P@ssw0rd2026',
    'princess-99',
  ])('for being common: %s', (password) => {
    expect(refusalOf(password)).toContain('tried first');
  });

  test.each([
    'aaaaaaaaaa',
    'ababababab',
    'abcabcabcabc',
    '7777777777777',
    'hello'.repeat(3),
    '!!!!!!!!!!',
    'ÄäÄäÄäÄäÄä',
  ])('for repeating itself: %s', (password) => {
    expect(refusalOf(password)).toContain('repeats itself');
  });

  test.each([
    'abcdefghijkl',
    'zyxwvutsrqpo',
    '0987654321',
    '234567890123',
    'qwertyuiopas',
    'lkjhgfdsaPO',
    '1qaz2wsx3edc4',
  ])('for being a walk over the keyboard: %s', (password) => {
    expect(refusalOf(password)).toContain('neighbouring');
  });

  test.each([
    ADA.email,
    ADA.email.toUpperCase(),
    'ada.lovelace',
    'AdaLovelace1815',
    'lovelace1815',
    'Corner Shop 1',
    'cornershop2026',
  ])('for being an e-mail address or a name: %s', (password) => {
    expect(refusalOf(password)).toContain('e-mail address or a name');
  });

  test('naming the field and the reason, in full-width letters as well', () => {
    const full = 'ｐａｓｓｗｏｒｄ１２３';
    expect(() => assertGoodPassword(full, { ...ADA, param: 'new_password' })).toThrow(
      expect.objectContaining({
        code: 'validation_failed',
        options: expect.objectContaining({
          param: 'new_password',
          errors: [{ param: 'new_password', code: 'weak_password', message: expect.any(String) }],
        }),
      }),
    );
  });
});

test.each([
  'long enough',
  'correct horse battery staple',
  'ada likes engines',
  'sunshine over the sea',
  '8471-0593-2264',
  'пароль для магазина',
  '我的密码是一句很长的话',
  'password reset by ada',
  randomUUID(),
])('a password is taken: %s', (password) => {
  expect(refusalOf(password)).toBeNull();
});

test('without an address or names the other rules hold', () => {
  expect(refusalOf('password123', { email: '', names: [] })).not.toBeNull();
  expect(() => assertGoodPassword('8471-0593-2264', { email: null, names: [''] })).not.toThrow();
});

test('the list is what its package makes, holds nothing shorter than matters, and is small', async () => {
  const source = await readFile(LIST, 'utf8');
  expect(source).toBe(await commonPasswordsSource());
  expect(gzipSync(source, { level: 9 }).byteLength).toBeLessThanOrEqual(BUDGET_BYTES);
});

describe('through the door', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack.close());

  test.each(['password123', 'bbbbbbbbbbbb', 'Grace1906!', 'ecommerce-api'])(
    'registering refuses %s',
    async (password) => {
      const email = `${randomUUID()}@people.example.test`;
      const details = { email, password, first_name: 'Grace', last_name: 'Hopper' };
      const { status, body } = await call(stack, 'POST', '/auth/register', details);
      expect([status, body.code, body.param]).toEqual([422, 'validation_failed', 'password']);
      expect(body.errors).toEqual([{ param: 'password', code: 'weak_password', message: expect.any(String) }]);
      const { rows } = await stack.owner.query('select 1 from accounts where email = $1', [email]);
      expect(rows).toEqual([]);
    },
  );
});
