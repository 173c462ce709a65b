import { type Case, fill, put, type Step } from './case.ts';
import { CASES, LAST_CASES } from './cases.ts';

/** Cases share nothing but the server, so several may run together. */
const AT_ONCE = 8;

/** One side: where it listens, and what it wants to be sent. */
export interface Side {
  url: string;
  token?: string;
}

interface Answer {
  status: number;
  type: string | null;
  location: string | null;
  body: string;
}

interface Seen {
  answers: Answer[];
  /** Lines of the exposition that this case made, after each step. */
  exposed: string[][];
}

function bodyOf({ body }: Step, name: string): string | Uint8Array<ArrayBuffer> | null {
  if (body === undefined) return null;
  return typeof body === 'string' ? fill(body, name) : body(name);
}

async function send(side: Side, step: Step, name: string): Promise<Answer> {
  const response = await fetch(side.url + fill(step.path, name), {
    method: step.method,
    body: bodyOf(step, name),
    redirect: 'manual',
    headers: {
      'content-type': step.type ?? 'text/plain',
      ...(side.token !== undefined && { authorization: `Bearer ${side.token}` }),
    },
  });
  const { status, headers } = response;
  const location = headers.get('location');
  return { status, type: headers.get('content-type'), location, body: await response.text() };
}

/** Times differ by nature, and the two keep different words for what their own gauges mean. */
async function exposition(side: Side, name: string): Promise<string[]> {
  const headers: Record<string, string> = side.token === undefined ? {} : { authorization: `Bearer ${side.token}` };
  const text = await (await fetch(`${side.url}/metrics`, { headers })).text();
  const mine = text.split('\n').filter((line) => line.includes(name) && !line.startsWith('ecommerce_'));
  return mine.map((line) => canonical(line)).sort();
}

function canonical(line: string): string {
  if (line.startsWith('#')) return line;
  const [, series = '', value = ''] = /^(.*) (\S+)$/.exec(line) ?? [];
  if (/^push_(failure_)?time_seconds/.test(series)) return `${series} ${Number(value) === 0 ? 'never' : 'once'}`;
  return `${series} ${Number.isFinite(Number(value)) ? Number(value) : value}`;
}

async function run(side: Side, { steps }: Case, name: string): Promise<Seen> {
  const seen: Seen = { answers: [], exposed: [] };
  for (const step of steps) {
    seen.answers.push(await send(side, step, name));
    // The gateway answers 202 before it deletes; a push after it is answered once both are done, in their order.
    if (step.method === 'DELETE') await send(side, put('/metrics/job/after'), name);
    seen.exposed.push(await exposition(side, name));
  }
  return seen;
}

function comparable({ answers, exposed }: Seen, { firstWords, answersOnly }: Case): unknown[] {
  const shown = answers.map((answer) =>
    firstWords ? { ...answer, body: /^pushed metrics are invalid or inconsistent/.exec(answer.body)?.[0] } : answer,
  );
  return shown.map((answer, index) => ({ answer, exposed: answersOnly ? [] : exposed[index] }));
}

async function differencesIn(reference: Side, subject: Side, each: Case, name: string): Promise<string[]> {
  const [expected, actual] = await Promise.all([run(reference, each, name), run(subject, each, name)]);
  const wanted = comparable(expected, each);
  const got = comparable(actual, each);
  return each.steps.flatMap((step, at) => {
    if (JSON.stringify(wanted[at]) === JSON.stringify(got[at])) return [];
    const what = `${each.name}, step ${at + 1}: ${step.method} ${step.path}`;
    return [`${what}\n  reference ${JSON.stringify(wanted[at])}\n  subject   ${JSON.stringify(got[at])}`];
  });
}

/** Runs the cases against both, some at a time, and describes each step in which the two differ. */
export async function differences(reference: Side, subject: Side, cases: readonly Case[]): Promise<string[]> {
  const found: string[] = [];
  const started = Date.now().toString(36);
  for (let from = 0; from < cases.length; from += AT_ONCE) {
    const some = cases.slice(from, from + AT_ONCE).map((each, index) => {
      const name = `k${started}${(from + index).toString(36).padStart(3, '0')}`;
      return differencesIn(reference, subject, each, name);
    });
    found.push(...(await Promise.all(some)).flat());
  }
  return found;
}

/** `node test/push/conformance.ts REFERENCE_URL SUBJECT_URL [TOKEN]` prints every difference, and fails if there is one. */
if (import.meta.main) {
  const [reference = '', subject = '', token] = process.argv.slice(2);
  const sides = [{ url: reference }, { url: subject, ...(token !== undefined && { token }) }] as const;
  const found = [...(await differences(...sides, CASES)), ...(await differences(...sides, LAST_CASES))];
  for (const difference of found) console.log(difference);
  console.log(`${CASES.length + LAST_CASES.length} cases, ${found.length} differences`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
