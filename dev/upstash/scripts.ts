import { createHash } from 'node:crypto';
import type { Command, Outcome } from './backend.ts';

/** What a command becomes once scripts are resolved: another command, or an answer at once. */
export type Resolved = { command: Command } | { outcome: Outcome };

export type ScriptCache = Map<string, string>;

const NO_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.';
const READ_ONLY_SUFFIX = '_RO';

/**
 * Maps script commands to EVAL. The cache is keyed by the SHA-1 of the text as the client sent it, because the client
 * computes the digest with the shebang in place, while plain Redis must get the text without it.
 */
export function resolveScript(cache: ScriptCache, command: Command): Resolved {
  const [name, first, ...rest] = command;
  if (name === 'SCRIPT') return { outcome: scriptCommand(cache, first?.toUpperCase(), rest) };
  if (first === undefined) return { command };
  const suffix = name.endsWith(READ_ONLY_SUFFIX) ? READ_ONLY_SUFFIX : '';
  if (name === `EVAL${suffix}`) {
    return { command: [name, store(cache, first).text, ...rest] };
  }
  if (name === `EVALSHA${suffix}`) {
    const text = cache.get(first.toLowerCase());
    if (text === undefined) return { outcome: { error: NO_SCRIPT } };
    return { command: [`EVAL${suffix}`, text, ...rest] };
  }
  return { command };
}

function scriptCommand(cache: ScriptCache, subcommand: string | undefined, args: string[]): Outcome {
  const [text] = args;
  if (subcommand === 'LOAD' && text !== undefined) return { result: store(cache, text).sha };
  if (subcommand === 'EXISTS') return { result: args.map((sha) => (cache.has(sha.toLowerCase()) ? 1 : 0)) };
  if (subcommand === 'FLUSH') {
    cache.clear();
    return { result: 'OK' };
  }
  return { error: `ERR unknown subcommand or wrong number of arguments for 'SCRIPT ${subcommand ?? ''}'` };
}

function store(cache: ScriptCache, script: string): { sha: string; text: string } {
  const sha = createHash('sha1').update(script).digest('hex');
  const text = stripShebang(script);
  cache.set(sha, text);
  return { sha, text };
}

/** Drops a first line like `#!lua flags=allow-key-locking`, whose flag only Upstash knows; line numbers stay as they were. */
function stripShebang(script: string): string {
  return script.replace(/^#![^\n]*/, '');
}
