import { Buffer } from 'node:buffer';
import { quote } from '../metrics/go-text.ts';

/** The labels that name a group. */
export type GroupLabels = Record<string, string>;

/** A push that is refused; the message is for the caller, who gets it with 400. */
export class PushRefused extends Error {
  override readonly name = 'PushRefused';
}

/** The key itself cannot be exposed, so no group can have it. */
export class KeyNotText extends PushRefused {}

const BASE64 = '@base64';
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const LABELS_MAX = 30;

/**
 * `/metrics/job/<job>{/<label>/<value>}`, percent-decoded as a whole, so that `%2F` separates like a slash; a name with
 * `@base64` has its value in URL-safe base64, padded or not. Null when the path is none of these. Throws PushRefused.
 */
export function groupOfPath(pathname: string): GroupLabels | null {
  const [, root, first = '', job, ...rest] = decodePath(pathname).split('/');
  if (root !== 'metrics' || (first !== 'job' && first !== `job${BASE64}`) || job === undefined || job === '')
    return null;
  const jobName = first === 'job' ? job : decodeJob(job);
  const labels = new Map(pairsOf(rest).map(([name, value]) => labelOf(name, value)));
  if (jobName === '') throw new PushRefused('job name is required');
  // The job is set last: /job/a/job/b is the group of job a.
  labels.set('job', jobName);
  return Object.fromEntries(labels);
}

function decodePath(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw new PushRefused('the path is not percent-encoded UTF-8');
  }
}

function decodeJob(text: string): string {
  const decoded = decodeBase64(text);
  if ('badAt' in decoded) {
    throw new PushRefused(`invalid base64 encoding in job name ${quote(decoded.partial)}: ${complaint(decoded.badAt)}`);
  }
  return utf8(decoded.bytes);
}

function pairsOf(components: string[]): [string, string][] {
  // A lone slash after the job is no label.
  if (components.length === 0 || (components.length === 1 && components[0] === '')) return [];
  if (components.length % 2 !== 0) {
    throw new PushRefused(`odd number of components in label string ${quote(`/${components.join('/')}`)}`);
  }
  if (components.length > 2 * LABELS_MAX) throw new PushRefused(`more than ${LABELS_MAX} labels in the path`);
  const pairs: [string, string][] = [];
  for (let index = 0; index < components.length; index += 2) {
    pairs.push([components[index] ?? '', components[index + 1] ?? '']);
  }
  return pairs;
}

function labelOf(given: string, value: string): [string, string] {
  const isEncoded = given.endsWith(BASE64);
  const name = isEncoded ? given.slice(0, -BASE64.length) : given;
  if (!LABEL_NAME.test(name) || name.startsWith('__')) throw new PushRefused(`improper label name ${quote(name)}`);
  if (!isEncoded) return [name, value];
  const decoded = decodeBase64(value);
  if ('badAt' in decoded) {
    throw new PushRefused(`invalid base64 encoding for label ${name}=${quote(value)}: ${complaint(decoded.badAt)}`);
  }
  return [name, utf8(decoded.bytes)];
}

function complaint(at: number): string {
  return `illegal base64 data at input byte ${at}`;
}

type Decoded = { bytes: Buffer } | { badAt: number; partial: string };

/** RFC 4648, section 5; padding is not needed. A remainder of one character cannot be a byte. */
function decodeBase64(padded: string): Decoded {
  const text = padded.replace(/=+$/, '');
  const illegal = /[^A-Za-z0-9_-]/.exec(text)?.index ?? -1;
  const badAt = illegal >= 0 ? illegal : text.length % 4 === 1 ? text.length - 1 : -1;
  if (badAt < 0) return { bytes: Buffer.from(text, 'base64url') };
  const whole = text.slice(0, badAt - (badAt % 4));
  return { badAt, partial: Buffer.from(whole, 'base64url').toString() };
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new KeyNotText('a label in the path has a value that is not UTF-8');
  }
}
