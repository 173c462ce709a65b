import * as z from 'zod';

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** The parts of a histogram and of a summary differ by these: one value for all would make them one series. */
const OF_PARTS: readonly string[] = ['le', 'quantile'];

function faultOf(labels: readonly (readonly [name: string, value: string])[]): string | null {
  if (labels.some(([name, value]) => !LABEL_NAME.test(name) || value === '')) {
    return 'must be label=value pairs, separated by commas';
  }
  const names = labels.map(([name]) => name);
  if (names.some((name) => name.startsWith('__') || OF_PARTS.includes(name))) {
    return `must not set ${OF_PARTS.join(', ')} or a label that begins with __`;
  }
  return new Set(names).size < names.length ? 'must not set a label twice' : null;
}

function parseLabels(text: string, context: z.core.$RefinementCtx): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  const labels = pairs.map((pair) => {
    const [name = '', ...value] = pair.split('=');
    return [name.trim(), value.join('=').trim()] as const;
  });
  const fault = faultOf(labels);
  if (fault === null) return Object.fromEntries(labels);
  context.addIssue(fault);
  return z.NEVER;
}

/** `cluster=production,environment=prod`: what prometheus.yml calls external_labels. */
export const remoteWriteLabels = z.string().default('').transform(parseLabels);
