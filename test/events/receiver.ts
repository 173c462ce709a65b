import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Json } from '../support/shop.ts';

export interface Delivery {
  headers: IncomingHttpHeaders;
  text: string;
  body: Json;
}

export interface Receiver {
  url: string;
  deliveries: Delivery[];
  /** The status that a delivery is answered; 200 from the start. */
  answer: (delivery: Delivery) => number;
  close(): Promise<void>;
}

/** A subscriber's endpoint: keeps what it is sent. */
export async function startReceiver(): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const delivery = { headers: request.headers, text, body: JSON.parse(text) };
      deliveries.push(delivery);
      response.writeHead(receiver.answer(delivery)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    deliveries,
    answer: () => 200,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}
