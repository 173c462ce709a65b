import { DASHBOARDS } from './grafana.ts';
import { query } from './prometheus-client.ts';
import { parse, substitute } from './promql.ts';
import { readRules } from './rules.ts';
import type { Windows } from './promql.ts';

export interface Checked {
  /** Dashboard and panel, alert or record, or the metric's name. */
  what: string;
  expr: string;
  verdict: 'data' | 'only NaN' | 'empty' | 'excepted';
}

/**
 * Runs every panel's expression, every record and the left side of every alert's comparison against a Prometheus, and asks
 * for each metric that they name: an `or vector(0)` must not hide one that nobody sends. `except` names what may be empty.
 */
export async function checkLive(prometheusUrl: string, windows: Windows, except?: RegExp): Promise<Checked[]> {
  const checked: Checked[] = [];
  for (const { what, expr } of expressions(windows)) {
    const lines = await query(prometheusUrl, expr);
    const values = lines.flatMap((line) => line.points.map(([, value]) => value));
    let verdict: Checked['verdict'] = values.length === 0 ? 'empty' : 'data';
    if (verdict === 'data' && values.every(Number.isNaN)) verdict = 'only NaN';
    if (verdict !== 'data' && except?.test(what) === true) verdict = 'excepted';
    checked.push({ what, expr, verdict });
  }
  return checked;
}

function expressions(windows: Windows): { what: string; expr: string }[] {
  const found: { what: string; expr: string }[] = [];
  const metrics = new Set<string>();
  const add = (what: string, expr: string): void => {
    found.push({ what, expr: substitute(expr, windows) });
  };
  for (const { name, rows } of DASHBOARDS) {
    for (const panel of rows.flatMap((row) => row.panels)) {
      for (const { expr, legend } of panel.queries) {
        add(`${name}: ${panel.title}: ${legend}`, expr);
        for (const { metric } of parse(expr).selectors) metrics.add(metric);
      }
    }
  }
  for (const rule of readRules()) {
    const { selectors, compared } = parse(rule.expr);
    for (const { metric } of selectors) metrics.add(metric);
    for (const side of rule.record === undefined ? compared : [rule.expr]) add(rule.alert ?? rule.record ?? '', side);
  }
  for (const metric of metrics) add(metric, metric);
  return found;
}
