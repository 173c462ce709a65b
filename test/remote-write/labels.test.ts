import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ConfigError, parseConfig } from '../../src/platform/config.ts';
import { BINDINGS } from '../platform/bindings.ts';

const ROOT = join(import.meta.dirname, '../..');

function labelsOf(text: string): Record<string, string> | string[] {
  try {
    return parseConfig({ ...BINDINGS, REMOTE_WRITE_LABELS: text }).REMOTE_WRITE_LABELS;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

test('labels are pairs, separated by commas; blanks around them do not count', () => {
  expect(labelsOf('')).toEqual({});
  expect(labelsOf('cluster=production,environment=prod')).toEqual({ cluster: 'production', environment: 'prod' });
  expect(labelsOf(' zone = é b , query=a=b, ')).toEqual({ zone: 'é b', query: 'a=b' });
});

test.each([
  ['no value', 'cluster', 'must be label=value pairs, separated by commas'],
  ['an empty value', 'cluster=', 'must be label=value pairs, separated by commas'],
  ['no name', '=production', 'must be label=value pairs, separated by commas'],
  ['a name that is none', 'my-cluster=a', 'must be label=value pairs, separated by commas'],
  ['a reserved name', '__name__=a', 'must not set le, quantile or a label that begins with __'],
  ['what tells a histogram from its buckets', 'le=1', 'must not set le, quantile or a label that begins with __'],
  ['a name twice', 'a=1,b=2,a=3', 'must not set a label twice'],
])('%s is refused', (_what, text, fault) => {
  expect(labelsOf(text)).toEqual([`REMOTE_WRITE_LABELS ${fault}`]);
});

test('production writes with the external labels that its Prometheus would send on', () => {
  const vars = /^\[env\.production\]\n(?:.+\n)*?vars = .*REMOTE_WRITE_LABELS = "([^"]*)"/m.exec(
    readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'),
  );
  const { global } = parse(readFileSync(join(ROOT, 'observability/prometheus.yml'), 'utf8')) as {
    global: { external_labels: Record<string, string> };
  };
  expect(labelsOf(vars?.[1] ?? '')).toEqual(global.external_labels);
});
