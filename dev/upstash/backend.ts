/** A Redis reply as it goes out: integers are numbers, every other scalar is text or bytes. */
export type RedisValue = string | Buffer | number | null | RedisValue[];

/** One command's reply, or the text of its Redis error ("ERR ...", "WRONGTYPE ..."). */
export type Outcome = { result: RedisValue } | { error: string };

/** The first word is the command's name in upper case. */
export type Command = [name: string, ...args: string[]];

/** A Redis that runs commands; scripts arrive as EVAL with a text that plain Redis takes. */
export interface Backend {
  run(command: Command): Promise<Outcome>;
  /** Runs all in order with nothing in between; `discarded` when nothing was run, as EXEC does on a bad command. */
  transaction(commands: Command[]): Promise<Outcome[] | { discarded: string }>;
  close(): Promise<void>;
}

/** What a Redis client answered, as a RedisValue. */
export function toRedisValue(reply: unknown): RedisValue {
  if (reply === null || reply === undefined) return null;
  if (typeof reply === 'string' || typeof reply === 'number' || Buffer.isBuffer(reply)) return reply;
  if (typeof reply === 'boolean') return Number(reply);
  if (reply instanceof Error) return reply.message;
  if (Array.isArray(reply)) return reply.map(toRedisValue);
  // HGETALL of the embedded Redis: an object where the wire has fields and values in turn.
  return Object.entries(reply).flat().map(toRedisValue);
}

/** The Redis behind the endpoint could not be reached. */
export class BackendUnavailable extends Error {}
