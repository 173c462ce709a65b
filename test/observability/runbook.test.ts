import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DASHBOARDS } from '../../dev/dashboards/grafana.ts';
import { parse } from '../../dev/dashboards/promql.ts';
import { readRules } from '../../dev/dashboards/rules.ts';
import { ERRORS } from '../../src/platform/errors.ts';
import { OBSERVABILITY } from './programs.ts';
import { blocks, inlineOf, pages, RUNBOOK } from './runbook.ts';
import { labelsOf } from './series.ts';

const ROOT = join(OBSERVABILITY, '..');
const HEADINGS = ['What it means', 'What to look at', 'What to do', 'When it is over'];

const alerts = readRules().filter(({ alert }) => alert !== undefined);

const source = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
/** Every file of src, as one text. */
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => source(join('src', file)))
  .join('\n');

describe('pages', () => {
  test('there is one for each alert, and for nothing else but how to respond', () => {
    const others = ['README', 'incident-response', 'tracing-a-slow-request', 'capacity'];
    const names = [...alerts.map(({ alert }) => alert), ...others].map((name) => `${name}.md`);
    expect(pages.map(({ file }) => file).toSorted()).toEqual(names.toSorted());
  });

  test.each(alerts)(
    '$alert: its page has its name, its severity and all headings, and the rule points at it',
    (rule) => {
      const { text } = pages.find(({ file }) => file === `${rule.alert}.md`)!;
      expect(rule.annotations['runbook_url']).toBe(`observability/runbook/${rule.alert}.md`);
      expect(text.split('\n')[0]).toBe(`# ${rule.alert}`);
      expect(text.toLowerCase()).toContain(`\n\n${rule.labels['severity']}. `);
      expect([...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual(HEADINGS);
      for (const part of text.split(/^## .*$/m)) expect(part.trim()).not.toBe('');
    },
  );

  test.each(pages)('$file: every file, panel, program and alert that it names is there', ({ file, text }) => {
    for (const [, link = ''] of text.matchAll(/\]\(([^)#]+)\)/g)) {
      if (!link.startsWith('https:')) expect(() => readFileSync(resolve(RUNBOOK, link)), link).not.toThrow();
    }
    for (const [, dashboard, panel] of text.matchAll(/\*\*([^*/]+) \/ ([^*]+)\*\*/g)) {
      const found = DASHBOARDS.find(({ title }) => title === dashboard);
      expect(
        found?.rows.flatMap((row) => row.panels.map(({ title }) => title)),
        `${dashboard} / ${panel}`,
      ).toContain(panel);
    }
    const scripts = Object.keys(JSON.parse(source('package.json')).scripts);
    for (const [, script] of text.matchAll(/npm run ([\w:-]+)/g)) expect(scripts).toContain(script);
    const paths = inlineOf(text).filter((code) => /^(?:deploy|src|test|dev|bench)\/[\w./-]+$/.test(code));
    for (const path of paths) expect(readdirSync(join(ROOT, dirname(path))), path).toContain(path.split('/').at(-1));
    expect(text, file).not.toMatch(/\bTODO\b/);
  });
});

describe('what a page asks Prometheus', () => {
  test.each(blocks('promql'))('$file: $block', ({ block }) => {
    const { selectors } = parse(block);
    expect(selectors).not.toHaveLength(0);
    for (const { metric, matchers, grouping } of selectors) {
      const known = metric === '' ? ['__name__'] : labelsOf(metric);
      expect(known, metric).toBeDefined();
      for (const label of [...matchers.map((matcher) => matcher.label), ...grouping])
        expect([...known!, '__name__'], metric).toContain(label);
    }
  });

  test.each(pages)('$file: metrics in its text are those of the shop', ({ text }) => {
    for (const code of inlineOf(text).filter((each) => /^ecommerce_\w+$/.test(each) && each !== 'ecommerce_app'))
      expect(labelsOf(code), code).toBeDefined();
  });
});

describe('what a page asks Loki', () => {
  const table = /export type LogFields = Optional<\{([\s\S]*?)\}>;/.exec(source('src/platform/telemetry/log.ts'))?.[1];
  const fields = [...(table ?? '').matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
  const known = new Set([...fields, 'level', 'timestamp', 'service', 'msg']);
  const messages = new Set([...sources.matchAll(/log\.log\(\s*'\w+',\s*'([^']+)'/g)].map(([, message]) => message));

  test('the fields are read from the logger itself', () => {
    expect(fields).toEqual(
      expect.arrayContaining(['trace_id', 'duration_ms', 'error_code', 'cause', 'events_delivered']),
    );
    expect(messages).toContain('payment in doubt');
  });

  test.each(blocks('logql'))('$file: $block', ({ block }) => {
    const [, labels = '', stages = ''] = /\{([^}]*)\}([\s\S]*)/.exec(block) ?? [];
    for (const [, label] of labels.matchAll(/(\w+)=/g)) expect(['service', 'env', 'level']).toContain(label);
    expect(labels).toContain('service="ecommerce-api"');
    expect(stages).toMatch(/^ \| json/);
    const filtered = [...stages.matchAll(/\| (\w+) ?(?:=~|!=|=|>=|<=|>|<)/g)].map(([, field]) => field);
    const shown = [...stages.matchAll(/\{\{\.(\w+)\}\}/g)].map(([, field]) => field);
    const grouped = [...block.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */));
    expect([...filtered, ...shown, ...grouped].filter((field) => !known.has(field ?? ''))).toEqual([]);
    for (const [, wanted = ''] of stages.matchAll(/msg=~?"([^"]*)"/g))
      for (const message of wanted.split('|')) expect(messages, message).toContain(message);
  });
});

describe('what a page tells people to use', () => {
  const { paths } = JSON.parse(source('dist/assets/openapi.json'));

  test.each(pages)('$file: routes, bindings and error codes are there', ({ text }) => {
    for (const code of inlineOf(text)) {
      const [, method, path = ''] = /^(GET|POST|PUT|PATCH|DELETE) (\/\S+)$/.exec(code) ?? [];
      if (method !== undefined) expect(Object.keys(paths[path] ?? {}), code).toContain(method.toLowerCase());
      if (/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(code))
        expect(source('src/platform/config/variables.ts')).toContain(`${code}:`);
    }
    for (const [, path = ''] of text.matchAll(/https:\/\/api\.example\.com(\/(?:health|api)[\w/]*)/g))
      expect(Object.keys(paths), path).toContain(path);
    const refusals = text.match(/^\| `\w+`.*$/gm) ?? [];
    if (/^\| Code /m.test(text))
      for (const row of refusals)
        for (const [, code = ''] of (row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)) expect(ERRORS).toHaveProperty(code);
  });
});
