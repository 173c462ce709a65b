import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SCENARIOS } from '../../bench/rehearse/catalogue.ts';
import { CHECKS } from '../../dev/doctor/checks.ts';
import { CHECKLIST, standingOf } from '../../dev/doctor/checklist.ts';
import { checklistPage } from '../../dev/doctor/page.ts';

const ROOT = join(import.meta.dirname, '../..');
const ids = CHECKS.map(({ id }) => id);
/** Of the doctor's own accord: no line of the guide asks for them. */
const BEYOND = ['environment', 'names', 'bindings', 'database-role', 'cron', 'docs', 'admin'];

test('has the lines of the guide, in its order', () => {
  expect(CHECKLIST.map(({ item }) => item)).toEqual([
    'Strong JWT secrets generated',
    'TLS/SSL configured',
    'Database SSL enabled',
    'Redis password set',
    'Rate limiting enabled',
    'Security headers configured',
    'CORS origins whitelisted',
    'Prometheus scraping configured',
    'Grafana dashboards imported',
    'Alerting rules configured',
    'Log aggregation setup',
    'Backup strategy implemented',
    'Monitoring dashboards created',
    'Incident response plan documented',
    'Load testing completed',
    'Health checks verified',
    'Horizontal scaling tested',
  ]);
});

const rehearsed = SCENARIOS.map(({ name }) => name);

describe.each(CHECKLIST)('$item', ({ checks, tests, rehearsals = [] }) => {
  test('is proven by tests that there are', () => {
    expect(tests).not.toEqual([]);
    for (const { file, name } of tests) {
      expect(existsSync(join(ROOT, file)), file).toBe(true);
      // In quotes, so that half a name is none.
      expect(readFileSync(join(ROOT, file), 'utf8')).toMatch(new RegExp(`(['"\`])${escaped(name)}\\1`));
    }
  });

  test('is looked at by checks and rehearsed by rehearsals that there are', () => {
    for (const name of rehearsals) expect(rehearsed).toContain(name);
    for (const id of checks) expect(ids).toContain(id);
  });
});

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

test('every check is on a line, or is the doctor’s own', () => {
  expect(new Set([...CHECKLIST.flatMap(({ checks }) => checks), ...BEYOND])).toEqual(new Set(ids));
});

test('a line fails with one of its checks, and passes only with one', () => {
  const line = { item: 'a', checks: ['tls', 'certificate'], tests: [] };
  const stand = (...results: ('pass' | 'fail' | 'skipped')[]) =>
    standingOf(
      line,
      results.map((result, index) => ({ id: line.checks[index] ?? '', title: '', seen: '', remedy: '', result })),
    );
  expect(stand('pass', 'fail')).toBe('fail');
  expect(stand('pass', 'skipped')).toBe('pass');
  expect(stand('skipped', 'skipped')).toBe('skipped');
  expect(standingOf({ ...line, checks: [] }, [])).toBe('tested');
});

test('its page is what npm run variables writes', () => {
  expect(readFileSync(join(ROOT, 'observability/checklist.md'), 'utf8')).toBe(checklistPage());
});
