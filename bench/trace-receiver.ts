import http from 'node:http';

export interface TraceReceiver {
  url: string;
  received: { posts: number; bytes: number; serverSpans: number };
  close(): Promise<void>;
}

const SERVER_SPAN = '"kind":2';

/** A collector's OTLP/HTTP port that takes everything and only counts. */
export async function startTraceReceiver(): Promise<TraceReceiver> {
  const received = { posts: 0, bytes: 0, serverSpans: 0 };
  const server = http.createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      received.posts += 1;
      received.bytes += text.length;
      received.serverSpans += text.split(SERVER_SPAN).length - 1;
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    received,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
