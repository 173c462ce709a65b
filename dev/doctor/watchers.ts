import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { type Check, fail, pass, skipped, type Verdict } from './check.ts';
import { get } from './live.ts';

const OBSERVABILITY = join(import.meta.dirname, '../../observability');
const JOB = 'ecommerce-api';

const Targets = z.object({
  data: z.object({
    activeTargets: z.array(
      z.object({ labels: z.record(z.string(), z.string()), health: z.string(), lastError: z.string() }),
    ),
  }),
});
const Rule = z.looseObject({ name: z.string() });
const Rules = z.object({ data: z.object({ groups: z.array(z.object({ rules: z.array(Rule) })) }) });
const RuleFile = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string().optional() })) })),
});
const Managers = z.object({ data: z.object({ activeAlertmanagers: z.array(z.unknown()) }) });
const Dashboard = z.object({ uid: z.string() });

function filesIn(folder: string, ending: string): string[] {
  const names = readdirSync(join(OBSERVABILITY, folder)).filter((name) => name.endsWith(ending));
  return names.map((name) => readFileSync(join(OBSERVABILITY, folder, name), 'utf8'));
}

async function ask<Shape extends z.ZodType>(shape: Shape, url: string, headers = {}): Promise<z.output<Shape>> {
  const response = await get(url, headers);
  if (!response.ok) throw new Error(`${new URL(url).pathname} answers ${response.status}`);
  return shape.parse(await response.json());
}

const scraping: Check = {
  id: 'prometheus',
  title: 'Prometheus scrapes the shop',
  run: async ({ prometheusUrl }) => {
    if (prometheusUrl === null) return skipped('not looked at', '--prometheus https://its.address');
    const { data } = await ask(Targets, `${prometheusUrl}/api/v1/targets?state=active`);
    const targets = data.activeTargets.filter(({ labels }) => labels['job'] === JOB);
    if (targets.length === 0) return fail(`no target of job ${JOB}`, 'use observability/prometheus.yml');
    const down = targets.filter(({ health }) => health !== 'up');
    if (down.length === 0) return pass(`${targets.length} targets are up`);
    return fail(`${down.length} of ${targets.length} are down: ${down[0]?.lastError}`, 'see its address and token');
  },
};

/** All that is missing from what is there, or that nothing is. */
function missing(what: string, wanted: readonly string[], found: readonly string[], remedy: string): Verdict {
  const left = wanted.filter((each) => !found.includes(each));
  return left.length === 0 ? pass(`${wanted.length} ${what}`) : fail(`missing: ${left.join(', ')}`, remedy);
}

const alertRules: Check = {
  id: 'alert-rules',
  title: 'Prometheus has the alert rules and somebody to tell',
  run: async ({ prometheusUrl }) => {
    if (prometheusUrl === null) return skipped('not looked at', '--prometheus https://its.address');
    const { data } = await ask(Rules, `${prometheusUrl}/api/v1/rules?type=alert`);
    const { data: managers } = await ask(Managers, `${prometheusUrl}/api/v1/alertmanagers`);
    if (managers.activeAlertmanagers.length === 0) return fail('no Alertmanager', 'see alerting in prometheus.yml');
    const rules = filesIn('rules', '.yml').flatMap((text) =>
      RuleFile.parse(parse(text)).groups.flatMap((group) => group.rules),
    );
    const wanted = rules.flatMap(({ alert }) => alert ?? []);
    const found = data.groups.flatMap((group) => group.rules.map(({ name }) => name));
    return missing('alerts', wanted, found, 'copy observability/rules to where rule_files says');
  },
};

const dashboards: Check = {
  id: 'grafana',
  title: 'Grafana has the dashboards',
  run: async ({ grafanaUrl, values }) => {
    if (grafanaUrl === null) return skipped('not looked at', '--grafana https://its.address, GRAFANA_TOKEN');
    const token = values['GRAFANA_TOKEN'];
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const found = await ask(z.array(Dashboard), `${grafanaUrl}/api/search?type=dash-db&limit=5000`, headers);
    const wanted = filesIn('dashboards', '.json').map((text) => Dashboard.parse(JSON.parse(text)).uid);
    return missing(
      'dashboards',
      wanted,
      found.map(({ uid }) => uid),
      'import observability/dashboards',
    );
  },
};

export const watcherChecks: readonly Check[] = [scraping, alertRules, dashboards];
