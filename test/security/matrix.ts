import { type BadCredential, kindOf } from './credentials.ts';
import { type Caller, readsCredential, type Target } from './operations.ts';
import type { Stack } from '../support/stack.ts';

const AT_ONCE = 8;

/** Tries every bad credential on one operation; says of each that was not refused as it should be. */
export async function matrixFaults(
  stack: Stack,
  caller: Caller,
  target: Target,
  credentials: readonly BadCredential[],
): Promise<string[]> {
  const bad = credentials.filter(({ refusals }) => refusals[kindOf(target.operation)] !== undefined);
  const heard = await inGroups(
    bad.filter(({ isRedisSilent }) => !isRedisSilent),
    (each) => faultOf(caller, target, each),
  );
  stack.redis.inject(() => true, 'drop_request', Number.MAX_SAFE_INTEGER);
  try {
    const unheard = await inGroups(
      bad.filter(({ isRedisSilent }) => isRedisSilent),
      (each) => faultOf(caller, target, each),
    );
    return [...heard, ...unheard];
  } finally {
    stack.redis.clear();
  }
}

async function faultOf(caller: Caller, target: Target, credential: BadCredential): Promise<string | null> {
  const { operation } = target;
  const { status, headers, text } = await caller.send(target, credential.token(operation));
  const expected = credential.orUnknown && status === 401 ? 401 : credential.refusals[kindOf(operation)];
  const isOpen = ['none', 'optional'].includes(operation['x-auth']);
  if (credential.orAbsent && isOpen && status === 404) return null;
  if (status !== expected) return `${credential.name}: ${status} instead of ${expected}: ${text}`;
  if (status === 401 && headers.get('www-authenticate') !== 'Bearer') return `${credential.name}: no WWW-Authenticate`;
  const { code } = JSON.parse(text) as { code: string };
  const known = status === 401 ? 'unauthenticated' : 'forbidden';
  return code === known || !readsCredential(target) ? null : `${credential.name}: ${code} instead of ${known}`;
}

async function inGroups<T>(all: readonly T[], ask: (one: T) => Promise<string | null>): Promise<string[]> {
  const faults: string[] = [];
  for (let start = 0; start < all.length; start += AT_ONCE) {
    const answers = await Promise.all(all.slice(start, start + AT_ONCE).map(ask));
    faults.push(...answers.filter((answer) => answer !== null));
  }
  return faults;
}
