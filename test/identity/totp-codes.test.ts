import { describe, expect, test } from 'vitest';
import { base32, codeAt, fromBase32, matchingStep } from '../../src/domains/identity/totp.ts';

describe('the codes', () => {
  const key = Buffer.from('12345678901234567890');

  test.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('are those of RFC 6238, appendix B, at %i s', (unixS, code) => {
    expect(codeAt(key, Math.floor(unixS / 30))).toBe(code);
    expect(matchingStep(base32(key), code, unixS, 0)).toBe(Math.floor(unixS / 30));
  });

  test('are those of RFC 4226, appendix D', () => {
    const codes = Array.from({ length: 10 }, (_, counter) => codeAt(key, counter));
    const published = '755224 287082 359152 969429 338314 254676 287922 162583 399871 520489';
    expect(codes.join(' ')).toBe(published);
  });

  test.each([
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('have secrets in base32 as RFC 4648, section 10, writes %s', (text, encoded) => {
    expect(base32(Buffer.from(text))).toBe(encoded);
    expect(Buffer.from(fromBase32(encoded)).toString()).toBe(text);
  });

  test('are good in their half minute and the ones beside it, and not again', () => {
    const unixS = 1_800_000_015;
    const step = unixS / 30 - 0.5;
    const near = [-2, -1, 0, 1, 2].map((by) => matchingStep(base32(key), codeAt(key, step + by), unixS, 0));
    expect(near).toEqual([null, step - 1, step, step + 1, null]);
    expect(matchingStep(base32(key), codeAt(key, step), unixS, step)).toBeNull();
    expect(matchingStep(base32(key), codeAt(key, step + 1), unixS, step)).toBe(step + 1);
    expect(matchingStep(base32(key), '', unixS, 0)).toBeNull();
  });
});
