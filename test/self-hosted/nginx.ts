import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'node:https';
import { run, until } from '../observability/programs.ts';
import { freePort } from '../support/redis-server.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');

export interface Nginx {
  /** https://localhost:PORT, with a certificate of the private authority. */
  url: string;
  httpUrl: string;
  ca: string;
  /** One for each request that has ended so far. */
  accesses(): Access[];
  errors(): string;
  /** As fetch does, on connections that are kept, trusting that authority alone. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

/** A line of its access log, with one entry in each list for each replica that was asked. */
export interface Access {
  method: string;
  path: string;
  status: number;
  tls: string;
  upstream: string[];
  upstreamStatus: string[];
  upstreamBytesSent: number[];
}

/** Whether nginx is installed; with REQUIRE_PROGRAMS=1 it has to be. Debian keeps it where only root's PATH looks. */
export function hasNginx(): boolean {
  const isThere = spawnSync(program(), ['-v']).error === undefined;
  if (!isThere && process.env['REQUIRE_PROGRAMS'] === '1')
    throw new Error('nginx is not installed (Debian: nginx-light)');
  if (!isThere) console.warn('Skipped: nginx is not installed (Debian: nginx-light)');
  return isThere;
}

function program(): string {
  return existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx';
}

/**
 * A real nginx with deploy/nginx.conf, of which only addresses and paths are changed, in front of replicas on loopback.
 * `shorten` replaces its 15 seconds, and the 5 for which it leaves a replica alone.
 */
export async function startNginx(replicas: readonly number[], shorten?: string): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  // Its workers are nobody, who must get at what they buffer there.
  chmodSync(folder, 0o755);
  run(join(DEPLOY, 'certificates.sh'), [join(folder, 'certs')]);
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, configFor({ folder, httpPort, httpsPort, replicas, shorten }));
  const child = spawn(program(), ['-e', `${folder}/error.log`, '-c', config, '-g', 'daemon off;'], {
    stdio: 'inherit',
  });
  const ended = once(child, 'exit');
  await until(
    'nginx listens',
    30_000,
    async () => (child.exitCode === null && (await listens(httpsPort))) || undefined,
  );
  const ca = readFileSync(join(folder, 'certs/ca.pem'), 'utf8');
  const agent = new Agent({ ca, keepAlive: true });
  const url = `https://localhost:${httpsPort}`;
  return {
    url,
    httpUrl: `http://localhost:${httpPort}`,
    ca,
    accesses: () => readFileSync(join(folder, 'access.log'), 'utf8').split('\n').filter(Boolean).map(accessOf),
    errors: () => readFileSync(join(folder, 'error.log'), 'utf8'),
    fetch: (path, init) => fetchBy(agent, `${url}${path}`, init),
    async close() {
      agent.destroy();
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Setting {
  folder: string;
  httpPort: number;
  httpsPort: number;
  replicas: readonly number[];
  shorten: string | undefined;
}

function configFor({ folder, httpPort, httpsPort, replicas, shorten }: Setting): string {
  const committed = readFileSync(join(DEPLOY, 'nginx.conf'), 'utf8');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const changed = committed
    .replaceAll(/^ *listen \[::\].*\n/gm, '')
    .replace('listen 80;', `listen 127.0.0.1:${httpPort};`)
    .replace('listen 443 ', `listen 127.0.0.1:${httpsPort} `)
    .replaceAll('/etc/nginx/tls', `${folder}/certs/nginx`)
    .replace('/run/nginx/nginx.pid', `${folder}/nginx.pid`)
    .replace('/dev/stdout', `${folder}/access.log`)
    .replace('/dev/stderr', `${folder}/error.log`)
    .replace('http {\n', `http {\n${temporary.join('\n')}\n`)
    .replaceAll(/api-(\d):8080/g, (_name, number: string) => `127.0.0.1:${replicas[Number(number) - 1]}`);
  return shorten === undefined
    ? changed
    : changed.replaceAll(/ 15s;|(fail_timeout=)5s/g, (_all, name = ' ') =>
        name === ' ' ? ` ${shorten};` : `${name}${shorten}`,
      );
}

function accessOf(line: string): Access {
  const { upstream, upstream_status, upstream_bytes_sent, ...rest } = JSON.parse(line) as Record<string, string>;
  const list = (text = ''): string[] => text.split(/, | : /).filter(Boolean);
  return {
    ...(rest as unknown as Access),
    upstream: list(upstream),
    upstreamStatus: list(upstream_status),
    upstreamBytesSent: list(upstream_bytes_sent).map((bytes) => Number(bytes) || 0),
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** fetch takes no authority of one's own. */
async function fetchBy(agent: Agent, url: string, init: RequestInit = {}): Promise<Response> {
  const body = typeof init.body === 'string' ? init.body : undefined;
  const headers = Object.fromEntries(new Headers(init.headers));
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: init.method ?? 'GET', headers }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.once('error', reject);
      reply.once('end', () => {
        const status = reply.statusCode ?? 0;
        const pairs = Object.entries(reply.headersDistinct).flatMap(([name, values = []]) =>
          values.map((value): [string, string] => [name, value]),
        );
        const isEmpty = [204, 205, 304].includes(status);
        resolve(new Response(isEmpty ? null : Buffer.concat(chunks), { status, headers: pairs }));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
