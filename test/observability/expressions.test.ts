import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { METRICS, type MetricDefinition } from '../../src/platform/telemetry/names.ts';
import { DASHBOARDS, dashboardJson } from '../../dev/dashboards/grafana.ts';
import { parse } from '../../dev/dashboards/promql.ts';
import { readRules } from '../../dev/dashboards/rules.ts';
import { OBSERVABILITY } from './programs.ts';
import { labelsOf } from './series.ts';

/** Metrics that need no panel and no alert, with the reason; none so far. */
const DOCUMENTED_ONLY: Record<string, string> = {
  ecommerce_logins_total: 'read when somebody asks who knocks; a shop of guests has none',
  ecommerce_sessions_revoked_total: 'moves with what staff and people do, not with the health of the shop',
  ecommerce_session_reuse_total: 'each one is a log line of its own, with the account',
  ecommerce_mails_total: 'only a shop with MAIL_API_URL has them',
  ecommerce_payment_requests_total: 'only a shop that captures, voids or refunds has a series',
  ecommerce_payment_requests_open: 'each one is a log line of its own, with the order, until it is settled',
};

const rules = readRules();
const panels = DASHBOARDS.flatMap(({ name, rows }) =>
  rows.flatMap((row) => row.panels.map((panel) => ({ name: `${name}: ${panel.title}`, panel }))),
);
const drawn = panels.flatMap(({ name, panel }) => panel.queries.map(({ expr, legend }) => ({ name, expr, legend })));
const ruled = rules.map((rule) => ({ name: rule.alert ?? rule.record ?? '', expr: rule.expr, legend: '' }));

describe('every expression', () => {
  test.each([...drawn, ...ruled])('$name: asks for metrics and labels that exist', ({ expr, legend }) => {
    const { selectors } = parse(expr);
    expect(selectors).not.toHaveLength(0);
    for (const { metric, matchers, grouping } of selectors) {
      const known = labelsOf(metric);
      expect(known, metric).toBeDefined();
      for (const label of [...matchers.map((matcher) => matcher.label), ...grouping])
        expect(known, metric).toContain(label);
    }
    const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]);
    for (const label of shown) expect(selectors.flatMap(({ grouping }) => grouping)).toContain(label);
  });

  test.each([...drawn, ...ruled])('$name: divides sums, and takes bounds that the histogram has', ({ expr }) => {
    const { selectors, bareDivisions } = parse(expr);
    expect(bareDivisions.filter((division) => !division.includes('ecommerce:'))).toEqual([]);
    for (const { metric, matchers } of selectors) {
      const bound = matchers.find(({ label }) => label === 'le');
      if (bound === undefined) continue;
      const { buckets } = (METRICS as Record<string, MetricDefinition>)[metric.replace(/_bucket$/, '')]!;
      expect(buckets?.map(String)).toContain(bound.value);
    }
  });

  test.each([...drawn, ...ruled])('$name: adds no two currencies', ({ expr }) => {
    const money = parse(expr).selectors.filter(({ metric }) => metric.startsWith('ecommerce_order_value_dollars'));
    expect(money.filter(({ grouping }) => !grouping.includes('currency'))).toEqual([]);
  });

  test('is refused where it is not PromQL, or where nothing fills its variable', () => {
    expect(() => parse('sum(rate(a_total[5m]')).toThrow('Not PromQL');
    expect(() => parse('sum by (le rate(a_total[5m]))')).toThrow('Not PromQL');
    expect(() => parse('rate(a_total[$window])')).toThrow('Unknown variable');
    expect(parse('a / sum(b)').bareDivisions).toEqual(['a / sum(b)']);
    expect(parse('sum by (x) (rate(a{b="c"}[5m])) > 2 and up == 0')).toMatchObject({
      compared: ['sum by (x) (rate(a{b="c"}[5m]))'],
      selectors: [{ metric: 'a', matchers: [{ label: 'b', value: 'c' }], grouping: ['x'] }, { metric: 'up' }],
    });
  });
});

describe('dashboards', () => {
  test.each(DASHBOARDS)('$name.json is what npm run dashboards writes', (dashboard) => {
    const committed = readFileSync(join(OBSERVABILITY, 'dashboards', `${dashboard.name}.json`), 'utf8');
    expect(committed).toBe(dashboardJson(dashboard));
  });

  test.each(drawn)("$name: its windows are Grafana's, its series of the chosen jobs", ({ expr }) => {
    const { ranges, selectors } = parse(expr);
    for (const range of ranges) expect(['$__rate_interval', '$__range']).toContain(range);
    for (const { metric, matchers } of selectors) {
      if (metric.startsWith('ecommerce_')) expect(matchers).toContainEqual({ label: 'job', value: '.*' });
    }
  });

  test.each(DASHBOARDS)('$name: rows fill their width, panels say what they show', ({ rows }) => {
    for (const row of rows) {
      const width = row.panels.reduce((sum, panel) => sum + panel.width, 0);
      expect(width % 24, row.title).toBe(0);
      for (const panel of row.panels) expect(panel.description).toMatch(/\.$/);
    }
  });

  test('have the panels of the guide by their names', () => {
    const titles = panels.map(({ panel }) => panel.title);
    expect(titles).toEqual(expect.arrayContaining(['Orders Per Minute', 'Revenue Per Hour', 'Payment Success Rate']));
  });
});

describe('alerts', () => {
  const alerts = rules.filter(({ alert }) => alert !== undefined);

  test('are the five of the guide, and more', () => {
    const names = alerts.map(({ alert }) => alert);
    const five = [
      'HighErrorRate',
      'HighLatency',
      'LowSuccessRate',
      'DatabaseConnectionPoolNearLimit',
      'HighCacheMissRate',
    ];
    expect(names).toEqual(expect.arrayContaining(five));
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(alerts)('$alert: has a severity, words and a page of the runbook', ({ labels, annotations }) => {
    expect(['critical', 'warning']).toContain(labels['severity']);
    expect(annotations).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
    expect(existsSync(join(OBSERVABILITY, '..', annotations['runbook_url'] ?? 'none'))).toBe(true);
  });

  test.each(alerts)('$alert: promtool sees it fire and stay silent', ({ alert }) => {
    const tests = ['alerts', 'slo', 'shop'].map((name) =>
      readFileSync(join(OBSERVABILITY, `rules-tests/${name}.test.yml`), 'utf8'),
    );
    const outcomes = [...tests.join('\n').matchAll(/alertname: (\w+)\n\s+exp_alerts:(.*)/g)].filter(
      ([, of]) => of === alert,
    );
    expect(new Set(outcomes.map(([, , expected]) => expected?.trim() === '[]'))).toEqual(new Set([false, true]));
  });
});

test('the README has a line for each alert, with its severity, and for each dashboard', () => {
  const readme = readFileSync(join(OBSERVABILITY, 'README.md'), 'utf8').replaceAll(/ +/g, ' ');
  const lines = [...readme.matchAll(/^\| `(\w+)` \| (critical|warning) \|/gm)].map(
    ([, alert, severity]) => `${alert} ${severity}`,
  );
  const alerts = rules.flatMap(({ alert, labels }) => (alert === undefined ? [] : [`${alert} ${labels['severity']}`]));
  expect(new Set(lines)).toEqual(new Set(alerts));
  for (const { name } of DASHBOARDS) expect(readme).toContain(`| \`${name}.json\` |`);
});

test('every metric of the product is drawn, watched or excused', () => {
  const used = new Set([...drawn, ...ruled].flatMap(({ expr }) => parse(expr).selectors.map(({ metric }) => metric)));
  const idle = Object.keys(METRICS).filter(
    (name) =>
      !['', '_bucket', '_sum', '_count'].some((part) => used.has(`${name}${part}`)) && !(name in DOCUMENTED_ONLY),
  );
  expect(idle).toEqual([]);
});
