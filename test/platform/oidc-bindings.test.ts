import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/platform/config.ts';
import { BINDINGS } from './bindings.ts';

const SECRET = 'hunter2-hunter2-hunter2';
const GOOD = { issuer: 'https://id.example.test', client_id: 'shop' };
const PAGE = 'https://shop.example.test/signed-in';

function faultsWith(providers: unknown, rest: Record<string, string> = {}): string[] {
  const OIDC_PROVIDERS = typeof providers === 'string' ? providers : JSON.stringify(providers);
  try {
    parseConfig({ ...BINDINGS, OIDC_PROVIDERS, OIDC_REDIRECT_URIS: PAGE, ...rest });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

test('providers are read by name, with defaults', () => {
  const OIDC_PROVIDERS = JSON.stringify({ a: GOOD, 'b-2': { ...GOOD, client_secret: SECRET, scopes: ['email'] } });
  const config = parseConfig({
    ...BINDINGS,
    OIDC_PROVIDERS,
    OIDC_REDIRECT_URIS: ` ${PAGE}, http://localhost:3000/in,`,
  });
  expect([...config.OIDC_PROVIDERS]).toEqual([
    ['a', { ...GOOD, scopes: ['email', 'profile'] }],
    ['b-2', { ...GOOD, client_secret: SECRET, scopes: ['email'] }],
  ]);
  expect(config.OIDC_REDIRECT_URIS).toEqual([PAGE, 'http://localhost:3000/in']);
  expect(parseConfig(BINDINGS)).toMatchObject({ OIDC_PROVIDERS: new Map(), OIDC_REDIRECT_URIS: [] });
});

describe('a fault names the binding and says nothing of what was given', () => {
  const wrong: [string, unknown][] = [
    ['no JSON', `{"a": {"client_secret": "${SECRET}"`],
    ['a list', [GOOD]],
    ['a name in capitals', { [SECRET.toUpperCase()]: GOOD }],
    ['a name of 33 characters', { ['a'.repeat(33)]: GOOD }],
    ['no issuer', { a: { client_id: SECRET } }],
    ['an issuer that is no URL', { a: { ...GOOD, issuer: SECRET } }],
    ['an issuer with a query', { a: { ...GOOD, issuer: `https://id.example.test/?${SECRET}` } }],
    ['an issuer of another scheme', { a: { ...GOOD, issuer: `ftp://${SECRET}` } }],
    ['an empty client_id', { a: { ...GOOD, client_id: '' } }],
    ['an empty client_secret', { a: { ...GOOD, client_secret: '' } }],
    ['a member that is unknown', { a: { ...GOOD, [SECRET]: SECRET } }],
    ['a scope with a space', { a: { ...GOOD, scopes: [`${SECRET} x`] } }],
    ['too many providers', Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`p${index}`, GOOD]))],
  ];
  test.each(wrong)('%s', (_name, providers) => {
    const faults = faultsWith(providers);
    expect(faults.map((fault) => fault.split(' ', 1)[0])).toEqual(['OIDC_PROVIDERS']);
    expect(faults.join().toLowerCase()).not.toContain('hunter2');
  });

  test.each(['shop.example.test', 'javascript:alert(1)', `${PAGE}#x`, `${PAGE},nope`])('the page %s', (pages) => {
    const faults = faultsWith({ a: GOOD }, { OIDC_REDIRECT_URIS: pages });
    expect(faults.map((fault) => fault.split(' ', 1)[0])).toEqual(['OIDC_REDIRECT_URIS']);
  });
});

test('in production no provider is spoken to in the clear, not even by an issuer in capitals', () => {
  for (const issuer of ['http://id.example.test', 'HTTP://id.example.test']) {
    const providers = { a: GOOD, b: { ...GOOD, issuer } };
    expect(faultsWith(providers, { ENVIRONMENT: 'production' })).toEqual([
      'OIDC_PROVIDERS must have https issuers in production',
    ]);
    expect(faultsWith(providers)).toEqual([]);
  }
  expect(faultsWith({ a: GOOD }, { ENVIRONMENT: 'production' })).toEqual([]);
});

test('providers need a page to come back to', () => {
  expect(faultsWith({ a: GOOD }, { OIDC_REDIRECT_URIS: '' })).toEqual([
    'OIDC_REDIRECT_URIS is needed with OIDC_PROVIDERS',
  ]);
});
