import { drawPanels } from './draw.ts';
import { DASHBOARDS } from './grafana.ts';
import { queryRange } from './prometheus-client.ts';
import { substitute } from './promql.ts';
import type { Drawn } from './draw.ts';
import type { Line } from './prometheus-client.ts';
import type { Panel } from './spec.ts';

/** What an on-call engineer looks at first, in the order of the drawing. */
const MAIN_PANELS = [
  'api: Requests by Status',
  'api: Error Rate',
  'api: Duration',
  'business: Orders Per Minute',
  'business: Revenue Per Hour',
  'business: Payment Success Rate',
  'database-cache: Connections',
  'database-cache: Time of a Batch',
  'database-cache: Cache Miss Rate',
  'runtime: Isolates',
  'runtime: Flushes',
  'slo: Burn Rate of Availability',
] as const;

export interface PlotWindow {
  startS: number;
  endS: number;
  /** Window of the rates, such as 1m. */
  rateInterval: string;
}

/** SVG of the main panels, from what `prometheusUrl` answers to their expressions. */
export async function plotPanels(prometheusUrl: string, window: PlotWindow): Promise<string> {
  const drawn: Drawn[] = [];
  for (const name of MAIN_PANELS) drawn.push(await read(prometheusUrl, find(name), window));
  const day = new Date(window.endS * 1000).toISOString().slice(0, 10);
  const caption = `Drawn by dev/dashboards/plot.ts (not by Grafana) from a real Prometheus: query_range over the panels' own expressions, ${day}, times in UTC.`;
  return drawPanels(drawn, { caption, ...window });
}

function find(name: string): Panel {
  const [dashboard, title] = name.split(': ');
  const rows = DASHBOARDS.find((one) => one.name === dashboard)?.rows ?? [];
  const panel = rows.flatMap((row) => row.panels).find((one) => one.title === title);
  if (panel === undefined) throw new Error(`No panel ${name}`);
  return panel;
}

async function read(prometheusUrl: string, panel: Panel, window: PlotWindow): Promise<Drawn> {
  const stepS = Math.max(1, Math.round((window.endS - window.startS) / 150));
  const range = `${Math.round(window.endS - window.startS)}s`;
  const lines: Drawn['lines'] = [];
  for (const { expr, legend } of panel.queries) {
    const filled = substitute(expr, { rateInterval: window.rateInterval, range });
    for (const line of await queryRange(prometheusUrl, filled, { ...window, stepS })) {
      lines.push({ name: named(legend, line), points: line.points });
    }
  }
  return { title: panel.title, unit: panel.unit, lines };
}

const named = (legend: string, line: Line): string =>
  legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => line.labels[label] ?? '');
