import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
};
const HEADERS_FILE = '_headers';

interface Asset {
  body: Buffer;
  headers: Record<string, string>;
}

/** Serves a file when the path is one's: true when it did. */
export type Assets = (request: IncomingMessage, response: ServerResponse) => boolean;

interface Rule {
  isFor: (address: string) => boolean;
  headers: Record<string, string>;
}

/** Of Cloudflare's `_headers`: a path, which may end in `*`, and under it, indented, what its replies carry. */
function parseHeaderRules(text: string): Rule[] {
  const rules: Rule[] = [];
  for (const line of text.split('\n').filter((each) => each.trim() !== '' && !each.startsWith('#'))) {
    if (/^\S/.test(line)) {
      const [start = '', ...rest] = line.trim().split('*');
      if (rest.some((part) => part !== '')) throw new Error(`_headers: "${line}": * must be at the end`);
      rules.push({
        isFor: (address) => (rest.length === 0 ? address === start : address.startsWith(start)),
        headers: {},
      });
      continue;
    }
    const [, name, value] = /^\s+([\w-]+):\s*(.*?)\s*$/.exec(line) ?? [];
    const rule = rules.at(-1);
    if (rule === undefined || name === undefined || value === undefined) throw new Error(`_headers: "${line}"`);
    rule.headers[name.toLowerCase()] = value;
  }
  return rules;
}

/** The page docs.html has the address /docs, as on Cloudflare. */
function addressOf(name: string): string {
  return `/${name.replace(/\.html$/, '')}`;
}

/** Reads all files of the folder that `npm run build` makes; they are few and small enough to be kept. */
export async function loadAssets(folder: string): Promise<Assets> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'));
  if (!names.includes(HEADERS_FILE)) throw new Error(`${folder} has no ${HEADERS_FILE}`);
  const rules = parseHeaderRules(await readFile(path.join(folder, HEADERS_FILE), 'utf8'));
  const assets = new Map<string, Asset>();
  for (const name of names.filter((each) => each !== HEADERS_FILE)) {
    const body = await readFile(path.join(folder, name));
    const address = addressOf(name);
    const extra = rules.filter(({ isFor }) => isFor(address)).map(({ headers }) => headers);
    const headers = {
      'content-type': TYPES[path.extname(name)] ?? 'text/plain; charset=utf-8',
      'cache-control': 'public, max-age=0, must-revalidate',
      etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
      ...Object.assign({}, ...extra),
    };
    assets.set(address, { body, headers });
  }
  return (request, response) => {
    const asset = assets.get((request.url ?? '').split('?', 1)[0] ?? '');
    if (asset === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false;
    serve(asset, request, response);
    return true;
  };
}

function serve({ body, headers }: Asset, request: IncomingMessage, response: ServerResponse): void {
  const isKnown = (request.headers['if-none-match'] ?? '').includes(headers['etag'] ?? '');
  if (isKnown) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}
