import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { pushFaults, readPush } from '../../test/support/loki.ts';
import { wrangler } from '../wrangler.ts';

export interface LokiReceiver {
  url: string;
  /** `refusing` cuts every connection, `hanging` never answers. */
  mode: 'up' | 'refusing' | 'hanging';
  /** Lines that were taken. */
  lines: string[];
  /** What Loki would have refused. */
  faults: string[];
  close(): Promise<void>;
}

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Path of the tail Worker's bundle, made as its deployment would, somewhere in the folder. */
export async function bundleTail(folder: string): Promise<string> {
  const output = await mkdtemp(path.join(folder, 'tail-'));
  const config = path.join(ROOT, 'observability/loki-tail/wrangler.toml');
  await wrangler(ROOT, ['deploy', '--config', config, '--dry-run', '--outdir', output]);
  return path.join(output, 'index.js');
}

/** Takes what Loki's push API takes, and nothing else. */
export async function startLokiReceiver(): Promise<LokiReceiver> {
  const server = createServer((request, response) => {
    if (receiver.mode === 'refusing') request.socket.destroy();
    else if (receiver.mode === 'up') void take(receiver, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a TCP port');
  const receiver: LokiReceiver = {
    url: `http://127.0.0.1:${address.port}/loki/api/v1/push`,
    mode: 'up',
    lines: [],
    faults: [],
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return receiver;
}

async function take(receiver: LokiReceiver, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const push = await readPush(request);
  const faults = pushFaults(push, Date.now());
  receiver.faults.push(...faults);
  if (faults.length === 0) receiver.lines.push(...push.lines);
  response.writeHead(faults.length === 0 ? 204 : 400).end(faults.join('\n'));
}
