import type { Readable } from 'node:stream';

/** Kept of a line whose end does not come; a longer one is handed on in parts. */
const LINE_LENGTH_MAX = 1024 * 1024;

/** Calls `take` with each line of the stream, also with a last one that has no break; split at \n and nothing else. */
export function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_LENGTH_MAX) lines.push(rest);
    if (rest.length > LINE_LENGTH_MAX) rest = '';
    for (const line of lines) take(line);
  });
  stream.on('end', () => {
    if (rest !== '') take(rest);
  });
}

export interface Said {
  level: 'warn' | 'error';
  message: string;
}

/** A line of workerd's structured log; of one that has no such form, the line itself. */
export function saidIn(line: string): Said {
  const said = parseObject(line);
  const message = typeof said?.['message'] === 'string' ? said['message'] : line;
  return { level: said?.['level'] === 'warn' ? 'warn' : 'error', message };
}

function parseObject(text: string): Record<string, unknown> | null {
  if (!text.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
