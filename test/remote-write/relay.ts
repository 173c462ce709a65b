import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface Relay {
  /** Known before the receiver is up. */
  url: string;
  /** Bodies that reached the receiver, also those whose answer was lost. */
  bodies: Buffer[];
  forwardTo(receiverUrl: string): void;
  /** The next so many requests reach the receiver, and its answers are lost. */
  loseAnswers(count: number): void;
  close(): Promise<void>;
}

/** Stands before a remote-write receiver that needs to know the sender's address before the sender knows its own. */
export async function startRelay(): Promise<Relay> {
  const bodies: Buffer[] = [];
  let receiver: string | null = null;
  let losses = 0;

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat((await request.toArray()) as Buffer[]);
    if (receiver === null) return void response.writeHead(503).end();
    const headers = ['content-type', 'content-encoding', 'x-prometheus-remote-write-version'];
    const answer = await fetch(`${receiver}${request.url}`, {
      method: 'POST',
      headers: headers.map((name): [string, string] => [name, String(request.headers[name])]),
      body,
    });
    const text = await answer.text();
    bodies.push(body);
    losses -= 1;
    if (losses >= 0) return void response.destroy();
    response.writeHead(answer.status).end(text);
  }

  const server = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    bodies,
    forwardTo(url) {
      receiver = url;
    },
    loseAnswers(count) {
      losses = count;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
