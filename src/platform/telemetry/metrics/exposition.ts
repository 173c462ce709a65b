import type { Family, Sample } from './family.ts';
import { canonicalBound } from './float.ts';

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function formatValue(value: number): string {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) || Number.isNaN(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
}

function renderSample({ name, labels, value }: Sample, time: string, bound: (text: string) => string): string {
  const pairs = Object.entries(labels).map(([label, text]) => {
    const shown = label === 'le' || label === 'quantile' ? bound(text) : text;
    return `${label}="${escapeLabel(shown)}"`;
  });
  const braces = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  return `${name}${braces} ${formatValue(value)}${time}\n`;
}

/** Prometheus text format 0.0.4; a family without samples is left out, and so is an empty help. */
export function renderText(families: readonly Family[]): string {
  const blocks = families.map(({ name, help, type, samples }) => {
    if (samples.length === 0) return '';
    const head = `${help === '' ? '' : `# HELP ${name} ${escapeHelp(help)}\n`}# TYPE ${name} ${type}\n`;
    const lines = samples.map((sample) =>
      renderSample(sample, sample.timestampMs === undefined ? '' : ` ${sample.timestampMs}`, (text) => text),
    );
    return head + lines.join('');
  });
  return blocks.join('');
}

/**
 * OpenMetrics 1.0: a counter's family is named without `_total`, times are seconds, and the end is marked. A counter
 * that was pushed under a name without `_total` is `unknown` here: renaming it would make another series of it.
 */
export function renderOpenMetrics(families: readonly Family[]): string {
  const blocks = families.map(({ name, help, type, samples }) => {
    if (samples.length === 0) return '';
    const isTotal = name.endsWith('_total');
    const family = type === 'counter' && isTotal ? name.slice(0, -'_total'.length) : name;
    const kind = type === 'untyped' || (type === 'counter' && !isTotal) ? 'unknown' : type;
    const head = `# TYPE ${family} ${kind}\n${help === '' ? '' : `# HELP ${family} ${escapeLabel(help)}\n`}`;
    const lines = samples.map((sample) =>
      renderSample(
        sample,
        sample.timestampMs === undefined ? '' : ` ${sample.timestampMs / 1000}`,
        type === 'histogram' || type === 'summary' ? canonicalBound : (text) => text,
      ),
    );
    return head + lines.join('');
  });
  return `${blocks.join('')}# EOF\n`;
}
