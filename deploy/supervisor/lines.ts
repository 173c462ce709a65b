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

/** A line of workerd's structured log: the Worker's own line is the message, already in its form. */
export function messageOf(line: string): string | null {
  const said = parseObject(line);
  return said !== null && typeof said['message'] === 'string' ? said['message'] : null;
}

export function isObject(text: string): boolean {
  return parseObject(text) !== null;
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
