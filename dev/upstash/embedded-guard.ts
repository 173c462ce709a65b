import commandInfo from 'ioredis-mock/data/command-info.json' with { type: 'json' };
import type { Command, Outcome } from './backend.ts';
import { WRONG_TYPE } from './embedded-script.ts';

/** What the emulation holds under a key, or undefined; and when it expires (Unix milliseconds). */
export interface Peek {
  value(key: string): unknown;
  expiresAt(key: string): number | undefined;
}

type Refusal = Outcome & { error: string };

interface CommandRule {
  /** Redis counts the name as an argument; a negative arity is a minimum. */
  arity: number;
  firstKey: number;
  groups: string[];
}

const RULES = new Map<string, CommandRule>(
  commandInfo.map(([name, arity, , firstKey, , , groups]) => [
    String(name).toUpperCase(),
    { arity: Number(arity), firstKey: Number(firstKey), groups: Array.isArray(groups) ? groups.map(String) : [] },
  ]),
);

const HOLDS: Record<string, (value: unknown) => boolean> = {
  '@string': (value) => typeof value === 'string' || Buffer.isBuffer(value),
  '@list': Array.isArray,
  '@set': (value) => value instanceof Set,
  '@sortedset': (value) => value instanceof Map,
  '@hash': (value) => Object.prototype.toString.call(value) === '[object Object]',
};
// They overwrite a key of any type, or pass over it.
const ANY_TYPE = /^(MGET|SET|MSET|MSETNX|SETNX|SETEX|PSETEX)$|STORE$/;

const INTEGER = /^-?(0|[1-9]\d{0,18})$/;
const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
const SYNTAX_ERROR = 'ERR syntax error';
const EXPIRE_COMMANDS = new Set(['EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT']);
const SET_FLAGS = new Set(['NX', 'XX', 'GET']);
const SET_EXPIRY = new Set(['EX', 'PX', 'EXAT', 'PXAT']);

/** The error of what the embedded Redis lacks: better refused than answered wrongly. */
export function notEmbedded(what: string): string {
  return `ERR ${what} is not part of the embedded Redis; a real one (REDIS_URL) has it`;
}

/** The error of a command that Redis would not even queue: unknown, or with too few or too many arguments. */
export function malformed([name, ...args]: Command): string | undefined {
  const rule = RULES.get(name);
  if (rule === undefined) {
    return `ERR unknown command '${name}', with args beginning with: ${args.map((arg) => `'${arg}' `).join('')}`;
  }
  const count = args.length + 1;
  const fits = rule.arity < 0 ? count >= -rule.arity : count === rule.arity;
  return fits ? undefined : `ERR wrong number of arguments for '${name.toLowerCase()}' command`;
}

/**
 * Makes up for what the emulation gets wrong where @upstash/redis uses it: it checks neither the type of most keys nor
 * whether a number is one, and it reads options in capitals and one order only.
 */
export function toEmulated(command: Command, peek: Peek): Command | Refusal {
  const [name, key = '', ...rest] = command;
  const problem = unfaithful(command) ?? wrongType(command, peek) ?? notANumber(command, peek);
  if (problem !== undefined) return { error: problem };
  if (name === 'SET') return emulatedSet(key, rest, peek);
  if (name === 'ZADD')
    return [name, key, ...rest.map((word) => (/^(nx|xx|ch|incr)$/i.test(word) ? word.toUpperCase() : word))];
  return command;
}

function unfaithful([name, ...args]: Command): string | undefined {
  // The emulation cuts scores to integers and reads "(" as nothing.
  if (/^Z.*(BYSCORE|COUNT)$/.test(name)) return notEmbedded(name);
  const options = args.map((arg) => arg.toUpperCase());
  if (name === 'ZRANGE' && options.includes('BYSCORE', 3)) return notEmbedded('ZRANGE BYSCORE');
  if (name === 'ZADD' && options[1] === 'INCR') return notEmbedded('ZADD INCR');
  if (EXPIRE_COMMANDS.has(name) && args.length > 2) return notEmbedded(`an option of ${name}`);
  return undefined;
}

function wrongType([name, ...args]: Command, peek: Peek): string | undefined {
  const rule = RULES.get(name);
  if (rule === undefined || rule.firstKey === 0 || ANY_TYPE.test(name)) return undefined;
  const value = peek.value(args[rule.firstKey - 1] ?? '');
  const group = rule.groups.find((candidate) => candidate in HOLDS);
  if (value === undefined || group === undefined || HOLDS[group]?.(value)) return undefined;
  return WRONG_TYPE;
}

function notANumber([name, key = '', field = '', amount = '']: Command, peek: Peek): string | undefined {
  const stored = peek.value(key);
  switch (name) {
    case 'INCR':
    case 'DECR':
      return isInteger(stored) ? undefined : NOT_AN_INTEGER;
    case 'INCRBY':
    case 'DECRBY':
      return isInteger(stored) && INTEGER.test(field) ? undefined : NOT_AN_INTEGER;
    case 'HINCRBY': {
      if (!INTEGER.test(amount)) return NOT_AN_INTEGER;
      const current: unknown = typeof stored === 'object' && stored !== null ? Reflect.get(stored, field) : undefined;
      return isInteger(current) ? undefined : 'ERR hash value is not an integer';
    }
    default:
      return EXPIRE_COMMANDS.has(name) && !INTEGER.test(field) ? NOT_AN_INTEGER : undefined;
  }
}

/** Nothing stored counts as 0. */
function isInteger(stored: unknown): boolean {
  if (stored === undefined) return true;
  return (typeof stored === 'string' || Buffer.isBuffer(stored)) && INTEGER.test(stored.toString());
}

function emulatedSet(key: string, [value = '', ...words]: string[], peek: Peek): Command | Refusal {
  const expiry: string[] = [];
  const flags: string[] = [];
  const rest = words.values();
  for (const word of rest) {
    const option = word.toUpperCase();
    if (SET_FLAGS.has(option)) flags.push(option);
    else if (SET_EXPIRY.has(option) && expiry.length === 0) expiry.push(option, rest.next().value ?? '');
    else if (option === 'KEEPTTL' && expiry.length === 0) expiry.push(...keptExpiry(key, peek));
    else return { error: SYNTAX_ERROR };
  }
  if (flags.includes('NX') && flags.includes('XX')) return { error: SYNTAX_ERROR };
  const [, time] = expiry;
  if (time !== undefined && !INTEGER.test(time)) return { error: NOT_AN_INTEGER };
  if (time !== undefined && Number(time) <= 0) return { error: "ERR invalid expire time in 'set' command" };
  return ['SET', key, value, ...expiry, ...flags];
}

function keptExpiry(key: string, peek: Peek): string[] {
  const at = peek.expiresAt(key);
  return at === undefined ? [] : ['PXAT', String(at)];
}
