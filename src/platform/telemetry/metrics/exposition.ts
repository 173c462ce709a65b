import type { Family, Sample } from './family.ts';

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function renderSample({ name, labels, value, timestampMs }: Sample, timestampScale: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  const braces = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  const time = timestampMs === undefined ? '' : ` ${timestampMs / timestampScale}`;
  return `${name}${braces} ${formatNumber(value)}${time}\n`;
}

/** Prometheus text format 0.0.4; a family without samples is left out. */
export function renderText(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) => {
      const head = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
      return head + samples.map((sample) => renderSample(sample, 1)).join('');
    })
    .join('');
}

/** OpenMetrics 1.0: a counter's family is named without `_total`, times are seconds, and the end is marked. */
export function renderOpenMetrics(families: readonly Family[]): string {
  const body = families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) => {
      const family = type === 'counter' ? name.replace(/_total$/, '') : name;
      const kind = type === 'untyped' ? 'unknown' : type;
      const head = `# TYPE ${family} ${kind}\n# HELP ${family} ${escapeLabel(help)}\n`;
      return head + samples.map((sample) => renderSample(sample, 1000)).join('');
    });
  return `${body.join('')}# EOF\n`;
}
