import type { Outcome, RedisValue } from './backend.ts';

type Json = string | number | null | Json[];

/** One outcome as `{ result }` or `{ error }`; with `base64` every string is encoded, except a bare "OK". */
export function encodeOutcome(outcome: Outcome, base64: boolean): { result: Json } | { error: string } {
  if ('error' in outcome) return outcome;
  // The client takes a bare "OK" as it is, but decodes every string inside an array.
  if (base64 && String(outcome.result) === 'OK' && !Array.isArray(outcome.result)) return { result: 'OK' };
  return { result: encodeValue(outcome.result, base64) };
}

function encodeValue(value: RedisValue, base64: boolean): Json {
  if (value === null || typeof value === 'number') return value;
  if (Array.isArray(value)) return value.map((item) => encodeValue(item, base64));
  return Buffer.from(value).toString(base64 ? 'base64' : 'utf8');
}
