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

/** What workerd says in its structured form: the message of a line of the Worker's, or of workerd itself. */
export function messageOf(line: string): string {
  try {
    const said: unknown = JSON.parse(line);
    if (typeof said === 'object' && said !== null && 'message' in said) return String(said.message);
  } catch {
    // Not all that a program says is JSON.
  }
  return line;
}
