import * as z from 'zod';
import type { Command } from './backend.ts';

/** A request that holds no command that could be run; the client reads `message` as `error`. */
export class CommandError extends Error {
  readonly status: number;
  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

const WordsSchema = z.array(z.union([z.string(), z.number(), z.boolean()]).transform(String));

// They need a connection of their own, or rule the server: neither exists over REST.
const UNAVAILABLE = new Set(
  `ACL AUTH BGREWRITEAOF BGSAVE BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT CLUSTER CONFIG DEBUG
  DISCARD EXEC FAILOVER HELLO MIGRATE MODULE MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT REPLCONF REPLICAOF RESET SAVE
  SELECT SHUTDOWN SLAVEOF SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SWAPDB SYNC UNSUBSCRIBE UNWATCH WAIT WAITAOF WATCH`.split(
    /\s+/,
  ),
);

/** Reads the JSON body of POST /. Throws CommandError. */
export function parseCommand(body: Buffer): Command {
  return toCommand(parseJson(body));
}

/** Reads the JSON body of POST /pipeline and /multi-exec. Throws CommandError. */
export function parseCommands(body: Buffer): Command[] {
  const list = parseJson(body);
  if (!Array.isArray(list) || list.length === 0) throw new CommandError('ERR expected an array of commands');
  return list.map(toCommand);
}

/** Reads /CMD/arg/arg?EX=10&NX, where a body is the last argument before those of the query. Throws CommandError. */
export function parsePath(url: URL, body: Buffer): Command {
  const words = url.pathname.slice(1).replace(/\/$/, '').split('/').map(decodeSegment);
  if (body.length > 0) words.push(body.toString('utf8'));
  for (const [name, value] of url.searchParams) {
    if (name === '_token') continue;
    words.push(name);
    if (value !== '') words.push(value);
  }
  return toCommand(words);
}

/** The error of a command that is not served over REST, or undefined. */
export function refusal(command: Command): string | undefined {
  if (UNAVAILABLE.has(command[0])) return `ERR Command is not available: '${command[0]}'`;
  return undefined;
}

function toCommand(words: unknown): Command {
  const parsed = WordsSchema.safeParse(words);
  if (!parsed.success) throw new CommandError('ERR a command is an array of strings, numbers and booleans');
  const [name, ...args] = parsed.data;
  if (name === undefined || name === '') throw new CommandError('ERR empty command');
  return [name.toUpperCase(), ...args];
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new CommandError('ERR failed to parse the request body as JSON');
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new CommandError('ERR bad percent-encoding in the path');
  }
}
