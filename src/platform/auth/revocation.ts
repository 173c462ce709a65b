import { describeCause } from '../http/problem.ts';
import type { Config } from '../config.ts';
import type { Deps } from '../deps.ts';

/** Longer than any access token of the session lives, clocks apart included; seconds. */
export function revocationLifeS(config: Config): number {
  return config.JWT_ACCESS_TTL + 60;
}

export function revocationKey(sessionId: string): string {
  return `revoked:${sessionId}`;
}

/**
 * Tells every isolate that no access token of these sessions counts any more: each request looks one of these keys up.
 * Best effort: the tick says it again, and whoever has a session is also looked up in the batch that they cause.
 */
export async function publishRevocations(deps: Deps, sessionIds: readonly string[]): Promise<void> {
  if (sessionIds.length > 0) deps.metrics.count('ecommerce_sessions_revoked_total', [], sessionIds.length);
  await repeatRevocations(deps, sessionIds);
}

/** The same of what was published before: it counts nothing. */
export async function repeatRevocations(deps: Deps, sessionIds: readonly string[]): Promise<void> {
  if (sessionIds.length === 0) return;
  const { redis, config, log, trips } = deps;
  const pipeline = redis.pipeline();
  for (const id of sessionIds) pipeline.set(revocationKey(id), '1', { ex: revocationLifeS(config) });
  trips.redis += 1;
  try {
    await pipeline.exec();
  } catch (error) {
    log.log('warn', 'revocations not published', { cause: describeCause(error) });
  }
}
