import { PanelBuilder as BarsBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BarGaugeDisplayMode,
  ReduceDataOptionsBuilder,
  VizLegendOptionsBuilder,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { API, BUSINESS } from './shop.ts';
import { DATABASE, RUNTIME } from './platform.ts';
import { PROMETHEUS } from './prometheus.ts';
import { OBJECTIVES } from './objectives.ts';
import type { Dashboard, Panel } from './spec.ts';

export const DASHBOARDS: readonly Dashboard[] = [API, BUSINESS, RUNTIME, PROMETHEUS, DATABASE, OBJECTIVES];

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const GREEN = 'green';
const RED = 'red';

/** Text of the dashboard's JSON, in the model that Grafana imports; the same each time. */
export function dashboardJson(dashboard: Dashboard): string {
  const builder = new DashboardBuilder(dashboard.title)
    .uid(`ecommerce-${dashboard.name}`)
    .description(dashboard.description)
    .tags(['ecommerce'])
    .refresh('1m')
    .time({ from: dashboard.from, to: 'now' })
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  if (JSON.stringify(dashboard).includes('$job')) builder.withVariable(jobVariable());
  let id = 0;
  for (const row of dashboard.rows) {
    builder.withRow(new RowBuilder(row.title).id((id += 1)));
    for (const panel of row.panels) builder.withPanel(build(panel).id((id += 1)));
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

/** One Prometheus may hold several shops, or the same one scraped and written: the reader chooses. */
function jobVariable(): QueryVariableBuilder {
  return new QueryVariableBuilder('job')
    .label('Job')
    .datasource(DATASOURCE)
    .query('label_values(ecommerce_build_info, job)')
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .includeAll(true)
    .allValue('.*')
    .multi(true)
    .current({ text: 'All', value: '$__all' });
}

function build(panel: Panel): LinesBuilder | StatBuilder | BarsBuilder {
  const builder = empty(panel);
  builder.title(panel.title).description(panel.description).unit(panel.unit).datasource(DATASOURCE);
  builder.span(panel.width).height(panel.kind === 'number' ? 4 : 8);
  if (panel.bad !== undefined) builder.thresholds(thresholds(panel.bad));
  for (const [index, query] of panel.queries.entries()) {
    const target = new DataqueryBuilder().expr(query.expr).legendFormat(query.legend).datasource(DATASOURCE);
    target.refId(String.fromCodePoint(65 + index));
    if (panel.kind === 'bars') target.instant();
    else target.range();
    builder.withTarget(target);
  }
  return builder;
}

function empty(panel: Panel): LinesBuilder | StatBuilder | BarsBuilder {
  const last = new ReduceDataOptionsBuilder().calcs(['lastNotNull']);
  switch (panel.kind ?? 'lines') {
    case 'number':
      return new StatBuilder().reduceOptions(last);
    case 'bars':
      return new BarsBuilder()
        .reduceOptions(last)
        .orientation(VizOrientation.Horizontal)
        .displayMode(BarGaugeDisplayMode.Basic);
    case 'lines':
      return new LinesBuilder().min(0).fillOpacity(10).legend(new VizLegendOptionsBuilder().showLegend(true));
  }
}

function thresholds(bad: NonNullable<Panel['bad']>): ThresholdsConfigBuilder {
  const [first, then, at] = 'from' in bad ? [GREEN, RED, bad.from] : [RED, GREEN, bad.below];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
    { value: null, color: first },
    { value: at, color: then },
  ]);
}
