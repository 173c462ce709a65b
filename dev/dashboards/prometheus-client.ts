import * as z from 'zod';

const Point = z.tuple([z.number(), z.string()]);
const Labels = z.record(z.string(), z.string());
const Answer = z.discriminatedUnion('status', [
  z.object({ status: z.literal('error'), error: z.string() }),
  z.object({
    status: z.literal('success'),
    data: z.discriminatedUnion('resultType', [
      z.object({ resultType: z.literal('vector'), result: z.array(z.object({ metric: Labels, value: Point })) }),
      z.object({
        resultType: z.literal('matrix'),
        result: z.array(z.object({ metric: Labels, values: z.array(Point) })),
      }),
      z.object({ resultType: z.literal('scalar'), result: Point }),
    ]),
  }),
]);

export interface Line {
  labels: Record<string, string>;
  /** Unix seconds and value; NaN and infinities as Prometheus gave them. */
  points: [number, number][];
}

/** Instant query at `timeS`, or now: a line of one point for each series. */
export function query(prometheusUrl: string, expr: string, timeS?: number): Promise<Line[]> {
  return ask(prometheusUrl, '/api/v1/query', { query: expr, ...(timeS === undefined ? {} : { time: String(timeS) }) });
}

/** Range query; times in Unix seconds, step in seconds. */
export function queryRange(
  prometheusUrl: string,
  expr: string,
  window: { startS: number; endS: number; stepS: number },
): Promise<Line[]> {
  const { startS, endS, stepS } = window;
  return ask(prometheusUrl, '/api/v1/query_range', {
    query: expr,
    start: String(startS),
    end: String(endS),
    step: String(stepS),
  });
}

async function ask(prometheusUrl: string, path: string, form: Record<string, string>): Promise<Line[]> {
  const url = new URL(`${prometheusUrl.replace(/\/$/, '')}${path}`);
  const headers: Record<string, string> = {};
  if (url.username !== '') {
    headers['authorization'] =
      `Basic ${btoa(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`)}`;
    url.username = '';
    url.password = '';
  }
  const reply = await fetch(url, {
    method: 'POST',
    headers,
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(30_000),
  });
  const answer = Answer.parse(await reply.json());
  if (answer.status === 'error') throw new Error(`${form['query']}: ${answer.error}`);
  const { data } = answer;
  switch (data.resultType) {
    case 'scalar':
      return [{ labels: {}, points: [number(data.result)] }];
    case 'vector':
      return data.result.map(({ metric, value }) => ({ labels: metric, points: [number(value)] }));
    case 'matrix':
      return data.result.map(({ metric, values }) => ({ labels: metric, points: values.map(number) }));
  }
}

/** Prometheus writes infinities as +Inf and -Inf. */
function number([timeS, value]: [number, string]): [number, number] {
  return [timeS, Number(value.replace('Inf', 'Infinity'))];
}
