import { METRICS, type MetricDefinition } from '../../src/platform/telemetry/names.ts';
import { readRules } from '../../dev/dashboards/rules.ts';

/** Labels that Prometheus gives to whatever it scrapes. */
const TARGET_LABELS = ['job', 'instance'];
const rules = readRules();

/** Labels of a series of ours, of Prometheus or of a record; undefined where nobody has it. */
export function labelsOf(name: string): readonly string[] | undefined {
  const definition: MetricDefinition | undefined = (METRICS as Record<string, MetricDefinition>)[name];
  if (definition !== undefined && definition.kind !== 'histogram') return [...definition.labels, ...TARGET_LABELS];
  const part = /^(.*)_(bucket|sum|count)$/.exec(name);
  const histogram = (METRICS as Record<string, MetricDefinition>)[part?.[1] ?? ''];
  if (histogram?.kind === 'histogram') {
    return [...histogram.labels, ...TARGET_LABELS, ...(part?.[2] === 'bucket' ? ['le'] : [])];
  }
  if (/^(up|scrape_\w+|prometheus_\w+|process_resident_memory_bytes)$/.test(name))
    return [...TARGET_LABELS, 'rule_group'];
  return rules.some(({ record }) => record === name) ? [] : undefined;
}
