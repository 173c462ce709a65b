import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { withTables } from '../../dev/variables/table.ts';
import { allVariables } from '../../dev/variables/variables.ts';

const variables = allVariables();
const named = new Map(variables.map((variable) => [variable.name, variable]));
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** Of the guide, with the default that it names; null: required, ours or none. */
const OF_THE_GUIDE: [name: string, value: string | null][] = [
  ['PORT', '8080'],
  ['ENVIRONMENT', null],
  ['SERVICE_NAME', 'ecommerce-api'],
  ['SERVICE_VERSION', null],
  ['DATABASE_URL', null],
  ['DATABASE_MAX_OPEN_CONNS', '50'],
  ['DATABASE_MAX_IDLE_CONNS', '25'],
  ['DATABASE_CONN_MAX_LIFETIME', '3600'],
  ['REDIS_URL', null],
  ['REDIS_PASSWORD', null],
  ['REDIS_DB', '0'],
  ['REDIS_MAX_RETRIES', '3'],
  ['JWT_ACCESS_SECRET', null],
  ['JWT_REFRESH_SECRET', null],
  ['JWT_ACCESS_TTL', '900'],
  ['JWT_REFRESH_TTL', '604800'],
  ['TRACING_ENABLED', null],
  ['TRACING_EXPORTER', null],
  ['JAEGER_ENDPOINT', null],
  ['OTLP_ENDPOINT', null],
  ['TRACING_SAMPLING_RATE', '0.1'],
  ['RATE_LIMIT_ENABLED', 'true'],
  ['RATE_LIMIT_PUBLIC', '100'],
  ['RATE_LIMIT_AUTHENTICATED', '500'],
  ['RATE_LIMIT_WINDOW', '60'],
  ['ALLOWED_ORIGINS', null],
  ['LOG_LEVEL', 'info'],
  ['LOG_FORMAT', 'json'],
  ['LOG_OUTPUT', 'stdout'],
  ['TLS_ENABLED', 'false'],
  ['TLS_CERT_FILE', null],
  ['TLS_KEY_FILE', null],
];

test.each(OF_THE_GUIDE)('%s is there, with the value of the guide', (name, value) => {
  const variable = named.get(name);
  expect(variable).toBeDefined();
  if (value !== null) expect(variable?.default).toBe(value);
});

describe('the tables of the README', () => {
  test('are what npm run variables writes', () => {
    expect(readme).toBe(withTables(readme, variables));
  });

  test('change with a variable', () => {
    const [first, ...rest] = variables;
    expect(first).toBeDefined();
    expect(withTables(readme, [{ ...first!, about: 'Something else.' }, ...rest])).not.toBe(readme);
    expect(() => withTables('no place', variables)).toThrow('README.md needs <!-- variables -->');
  });

  test.each(variables)('$name has a range and one sentence or more, and shows no secret', (variable) => {
    expect(variable.range).toMatch(/./);
    expect(variable.about).toMatch(/^[^|\n]{12,115}[.:]?$/);
    expect(variable.about).toMatch(/[.]$/);
    if (variable.isSecret) expect([null, '', '{}']).toContain(variable.default);
    if (/(SECRET|TOKEN|PASSWORD|_KEY|SECRET_PREVIOUS)$/.test(variable.name)) expect(variable.isSecret).toBe(true);
  });
});
