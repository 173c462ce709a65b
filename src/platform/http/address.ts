import type { Config } from '../config.ts';
import type { AppContext } from './context.ts';

const IPV4 = /^(?:\d{1,3}\.){3}\d{1,3}$/;
const IPV6 = /^[0-9a-f:]{2,39}$/i;
const MAPPED_IPV4 = /^::ffff:((?:\d{1,3}\.){3}\d{1,3})$/i;
const GROUPS = 8;
/** Groups of 16 bits: a subscriber is given a /64 at least, so one of them could use 2^64 addresses (RFC 6177). */
const NETWORK_GROUPS = 4;

/** `2001:db8::1` becomes `2001:db8:0:0::/64`; null when it is no address. */
function networkOf(address: string): string | null {
  const [head = '', tail, ...more] = address.toLowerCase().split('::');
  const groupsOf = (part: string | undefined) => (part === undefined || part === '' ? [] : part.split(':'));
  const [before, after] = [groupsOf(head), groupsOf(tail)];
  const missing = GROUPS - before.length - after.length;
  const isShort = tail !== undefined;
  if (more.length > 0 || (isShort ? missing < 1 : missing !== 0)) return null;
  const groups = [...before, ...Array.from({ length: isShort ? missing : 0 }, () => '0'), ...after];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return null;
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** What one client is known by: its IPv4 address, its IPv6 network, or `unknown` for all whose address is none. */
function clientOf(address: string): string {
  const plain = MAPPED_IPV4.exec(address)?.[1] ?? address;
  if (IPV4.test(plain)) return plain.split('.').every((part) => Number(part) <= 255) ? plain : 'unknown';
  return (IPV6.test(plain) ? networkOf(plain) : null) ?? 'unknown';
}

/** By the header that the trusted proxy in front of us sets; headers a client could set itself are never read. */
export function clientAddress(c: AppContext, config: Config): string {
  return clientOf(c.req.header(config.TRUSTED_IP_HEADER) ?? '');
}
