import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';

/** SSLRequest: length 8 and the number 80877103 (protocol documentation, "Message Formats"). */
const SSL_REQUEST = Buffer.from('0000000804d2162f', 'hex');

export interface TlsFront {
  port: number;
  /** Protocol of each connection that asked for TLS; `null` for one that did not. */
  seen: (string | null)[];
  close(): Promise<void>;
}

/** A Postgres that takes TLS alone, made of one that has none: says yes to SSLRequest, and passes the rest on in the clear. */
export async function startTlsFront(certificates: string, upstream: { host: string; port: number }): Promise<TlsFront> {
  const pem = (name: string): Buffer => readFileSync(join(certificates, 'postgres', name));
  const secureContext = createSecureContext({ cert: pem('cert.pem'), key: pem('key.pem') });
  const seen: (string | null)[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (first) => {
      if (!first.equals(SSL_REQUEST)) {
        seen.push(null);
        socket.destroy();
        return;
      }
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, secureContext });
      secure.on('secure', () => seen.push(secure.getProtocol()));
      const plain = connect(upstream);
      for (const end of [secure, plain]) end.on('error', () => plain.destroy());
      secure.pipe(plain).pipe(secure);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async close() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
