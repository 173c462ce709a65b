import { execFileSync } from 'node:child_process';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

/** Self-signed, for 127.0.0.1, good for so many days. */
export function makeCertificate(folder: string, name: string, days: number): Certificate {
  const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}-key.pem`)];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', String(days)];
  execFileSync('openssl', [...kind, ...subject, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
  return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

/** What became of a reply on its way out. */
export type Mangle = (path: string, reply: Response) => Response | Promise<Response>;

export interface Front {
  url: string;
  /** From now on; null: replies pass as they are. */
  mangle: Mangle | null;
  close(): Promise<void>;
}

/** An HTTPS proxy before `target`, as a deployment has one, which may be a bad one. */
export async function startFront(
  target: string,
  { cert, key }: Certificate,
  options: { minVersion?: 'TLSv1' | 'TLSv1.2'; ciphers?: string } = {},
): Promise<Front> {
  const front: Front = { url: '', mangle: null, close };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '/';
    const headers = Object.entries(request.headers).flatMap(([name, value]) =>
      typeof value === 'string' && !['connection', 'host'].includes(name) ? [[name, value] as const] : [],
    );
    const passed = await fetch(`${target}${path}`, { headers: Object.fromEntries(headers), redirect: 'manual' });
    const reply = (await front.mangle?.(path, passed)) ?? passed;
    const coded = new Set(['content-encoding', 'content-length', 'transfer-encoding', 'connection']);
    response.writeHead(reply.status, Object.fromEntries([...reply.headers].filter(([name]) => !coded.has(name))));
    response.end(Buffer.from(await reply.arrayBuffer()));
  };
  const server = createHttpsServer({ cert, key, ...options }, (request, response) => void serve(request, response));
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  front.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  return front;
}

export interface Answers {
  url: string;
  /** JSON by path; anything else is 404. */
  replies: Record<string, unknown>;
  close(): Promise<void>;
}

/** Stands for a program with an HTTP API, such as Grafana, which cannot be had here. */
export async function startAnswers(replies: Record<string, unknown>): Promise<Answers> {
  const answers: Answers = { url: '', replies, close };
  const server = createHttpServer((request, response) => {
    const reply = answers.replies[new URL(request.url ?? '/', 'http://here').pathname];
    response.writeHead(reply === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(reply ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  answers.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  return answers;
}

/** The same reply with other headers; null removes one. */
export function withHeaders(reply: Response, changes: Record<string, string | null>): Response {
  const headers = new Headers(reply.headers);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  return new Response(reply.body, { status: reply.status, headers });
}
