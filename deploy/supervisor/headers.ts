import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Of one connection, not of the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Set here: what the client sent under these names is not passed on. */
const OURS = new Set(['x-real-ip', 'cf-connecting-ip', 'x-request-id']);

/** A flat list of names and values, as Node gives and takes them, without those that end here. */
export function endToEnd(rawHeaders: readonly string[], dropped: ReadonlySet<string> = new Set()): string[] {
  const named = new Set<string>();
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'connection') continue;
    for (const name of (rawHeaders[i + 1] ?? '').split(',')) named.add(name.trim().toLowerCase());
  }
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.has(lower) && !named.has(lower) && !dropped.has(lower)) kept.push(name, rawHeaders[i + 1] ?? '');
  }
  return kept;
}

/** Whose X-Real-IP is believed: addresses and networks such as `10.0.0.0/8`, all of them valid. */
export function trustedBy(proxies: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    if (bits === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(bits), familyOf(address));
  }
  return (address) => list.check(address, familyOf(address));
}

/** The client's address: of the socket, or as a trusted proxy has seen it. */
export function clientAddress(request: IncomingMessage, isTrusted: (address: string) => boolean): string {
  const peer = (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  const told = request.headers['x-real-ip'];
  return typeof told === 'string' && isIP(told) !== 0 && isTrusted(peer) ? told : peer;
}

/** What the Worker gets: the client's own headers, and what only we can know. */
export function requestHeaders(request: IncomingMessage, address: string, requestId: string): string[] {
  const headers = endToEnd(request.rawHeaders, OURS);
  headers.push('x-real-ip', address, 'x-request-id', requestId);
  if (request.headers['transfer-encoding'] !== undefined) headers.push('transfer-encoding', 'chunked');
  else if (request.headers['content-length'] === undefined && /^P(OST|UT|ATCH)$/.test(request.method ?? '')) {
    headers.push('content-length', '0');
  }
  return headers;
}
