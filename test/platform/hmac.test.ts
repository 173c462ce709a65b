import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { equalSecret, hmacSha256Base64, hmacSha256Base64url, hmacSha256Hex } from '../../src/platform/auth/hmac.ts';

describe('HMAC-SHA256', () => {
  test('answers the vector of RFC 4231, 4.3', async () => {
    expect(await hmacSha256Hex('Jefe', 'what do ya want for nothing?')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  test('each encoding holds the same bytes, as UTF-8 on both sides', async () => {
    const [key, message] = ['schlüssel', 'naïve 🛒'];
    const expected = (encoding: 'base64' | 'base64url' | 'hex') =>
      createHmac('sha256', key).update(message).digest(encoding);
    expect(await hmacSha256Base64(key, message)).toBe(expected('base64'));
    expect(await hmacSha256Base64url(key, message)).toBe(expected('base64url'));
    expect(await hmacSha256Hex(key, message)).toBe(expected('hex'));
  });
});

describe('comparing secrets', () => {
  test('holds for equal texts only', () => {
    expect(equalSecret('abc', 'abc')).toBe(true);
    expect(equalSecret('', '')).toBe(true);
    expect(equalSecret('abc', 'abd')).toBe(false);
  });

  test('a text of another length is refused, not an error', () => {
    expect(equalSecret('abc', 'abcd')).toBe(false);
    expect(equalSecret('abc', '')).toBe(false);
    // One character, but two bytes in UTF-8.
    expect(equalSecret('ä', 'a')).toBe(false);
  });
});
