interface Range {
  /** Lower case, such as text/plain, or a content coding. */
  name: string;
  parameters: ReadonlyMap<string, string>;
  /** 0 means never; 1 when it says nothing. */
  weight: number;
}

/** The list of an Accept or Accept-Encoding header (RFC 9110, 12.5); a weight that is none counts as 1. */
function rangesOf(header: string): Range[] {
  return header.split(',').flatMap((item) => {
    const [name = '', ...rest] = item.split(';').map((part) => part.trim());
    if (name === '') return [];
    const pairs = rest.map((part) => {
      const [key = '', ...value] = part.split('=');
      return [key.trim().toLowerCase(), value.join('=').trim().replaceAll('"', '')] as const;
    });
    const parameters = new Map(pairs);
    const q = parameters.get('q') ?? '';
    return [{ name: name.toLowerCase(), parameters, weight: /^[01](\.\d*)?$/.test(q) ? Math.min(Number(q), 1) : 1 }];
  });
}

const OPEN_METRICS = 'application/openmetrics-text';

/** Whether OpenMetrics 1.0 is asked for, and not less than plain text; a wildcard alone gets the text. */
export function prefersOpenMetrics(accept: string): boolean {
  const ranges = rangesOf(accept);
  const best = (found: Range[]) => Math.max(0, ...found.map(({ weight }) => weight));
  const open = best(
    ranges.filter(
      ({ name, parameters }) => name === OPEN_METRICS && (parameters.get('version') ?? '1.0.0') === '1.0.0',
    ),
  );
  const plain = best(
    ranges.filter(
      ({ name, parameters }) => name === 'text/plain' && (parameters.get('version') ?? '0.0.4') === '0.0.4',
    ),
  );
  return open > 0 && open >= plain;
}

/** Whether gzip may be used: it, or everything, is named with a weight above 0. */
export function takesGzip(acceptEncoding: string): boolean {
  const ranges = rangesOf(acceptEncoding);
  const named =
    ranges.find(({ name }) => name === 'gzip' || name === 'x-gzip') ?? ranges.find(({ name }) => name === '*');
  return named !== undefined && named.weight > 0;
}
