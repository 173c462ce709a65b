import { createHash } from 'node:crypto';
import type { Exchange, Fault, FaultProxy } from '../support/fault-proxy.ts';
import { gate } from '../support/order-path.ts';
import type { Stack } from '../support/stack.ts';

export const PEERS = ['neon', 'redis', 'payments'] as const;
export type Peer = (typeof PEERS)[number];

/** One exchange of a clean run, told apart by what it asks and not by the ids in it. */
export interface Point {
  peer: Peer;
  /** What is asked: the texts of the statements, the commands, or method and path. */
  question: string;
  /** Of several that ask the same: which one, from 1. */
  occurrence: number;
  label: string;
}

export const KINDS = [
  'dropped before it is sent',
  'dropped before the reply',
  'sent twice',
  'sent after the timeout',
  'answered after the timeout',
  'overtaken while it waits',
] as const;
export type Kind = (typeof KINDS)[number];

export interface Cut {
  point: Point;
  kind: Kind;
}

/** A cut in place: it meets one exchange, the one that was recorded. */
export interface ArmedCut {
  kind: Kind;
  fired: Promise<Exchange>;
  /** The exchange that it met, once it has. */
  met(): Exchange | null;
  isHeld(): boolean;
  /** Lets go what is held. */
  release(): void;
}

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[a-z]{2,3}_[0-9a-f]{32}\b/g;

/** What an exchange asks, the same in every run, and a name that a reader knows it by. */
function questionOf(peer: Peer, exchange: Exchange): { question: string; label: string } {
  if (peer === 'payments') {
    const question = `${exchange.method} ${exchange.path.split('?', 1)[0]?.replaceAll(ID, ':id')}`;
    return { question, label: `provider ${question}` };
  }
  if (peer === 'redis') {
    const commands = JSON.parse(exchange.requestBody) as (string | string[])[];
    const question = commands.map((command) => (Array.isArray(command) ? command[0] : command)).join(' ');
    return { question: `${exchange.path} ${question}`, label: `redis ${question}` };
  }
  const body = JSON.parse(exchange.requestBody) as { queries?: { query: string }[]; query?: string };
  const texts = body.queries?.map(({ query }) => query) ?? [body.query ?? ''];
  const question = createHash('sha256').update(texts.join('\n')).digest('hex');
  return { question, label: `postgres ${describeBatch(texts)}` };
}

function describeBatch(texts: readonly string[]): string {
  const written = texts.join('\n').matchAll(/(insert into|(?<!for )update|delete from) ([a-z_]+)/g);
  const verbs = [...new Set([...written].map(([verb]) => verb))];
  return verbs.length === 0 ? `read of ${texts.length}` : verbs.slice(0, 3).join(', ');
}

/** Every exchange that was recorded, as a place to cut. */
export function pointsOf(stack: Stack): Point[] {
  return PEERS.flatMap((peer) => {
    const seen = new Map<string, number>();
    return stack[peer].exchanges.map((exchange) => {
      const { question, label } = questionOf(peer, exchange);
      const occurrence = (seen.get(question) ?? 0) + 1;
      seen.set(question, occurrence);
      return { peer, question, occurrence, label: occurrence === 1 ? label : `${label} (${occurrence})` };
    });
  });
}

/** Puts one cut in place; it counts from now on. */
export function arm(proxy: FaultProxy, { point, kind }: Cut): ArmedCut {
  const hold = gate();
  let seen = 0;
  let met: Exchange | null = null;
  let isOpen = false;
  const matches = (exchange: Exchange): boolean => {
    if (questionOf(point.peer, exchange).question !== point.question) return false;
    seen += 1;
    if (seen === point.occurrence) met = exchange;
    return seen === point.occurrence;
  };
  const { fired } = proxy.inject(matches, faultOf(kind, hold.opened));
  const holds = kind.includes('timeout') || kind.includes('overtaken');
  return {
    kind,
    fired,
    met: () => met,
    isHeld: () => holds && met !== null && !isOpen,
    release() {
      isOpen = true;
      hold.open();
    },
  };
}

function faultOf(kind: Kind, until: Promise<void>): Fault {
  switch (kind) {
    case 'dropped before it is sent':
      return 'drop_request';
    case 'dropped before the reply':
      return 'drop_reply';
    case 'sent twice':
      return 'duplicate';
    case 'sent after the timeout':
    case 'overtaken while it waits':
      return { hold_request: until };
    case 'answered after the timeout':
      return { hold_reply: until };
  }
}
