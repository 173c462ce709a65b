import * as z from 'zod';
import type { Gatekeeper, KeyActor } from '../../platform/http/admit.ts';
import type { Deps } from '../../platform/deps.ts';
import { accessGuards } from './queries/guards.ts';
import { liveKeyByDigest, noteKeyUse, type LiveKeyRow } from './queries/api-keys.ts';

/** Seconds a key's record may be read from Redis; its batches ask the database anyway. */
const RECORD_TTL_S = 60;

const Record = z.object({ id: z.uuid(), account_id: z.uuid(), permissions: z.array(z.string()) });

function readRecord(cached: string | null): LiveKeyRow | null {
  if (cached === null) return null;
  try {
    return Record.parse(JSON.parse(cached));
  } catch {
    return null;
  }
}

function toActor({ id, account_id, permissions }: LiveKeyRow): KeyActor {
  return { kind: 'key', keyId: id, accountId: account_id, permissions };
}

export function keyCacheKey(digest: string): string {
  return `apikey:${digest}`;
}

/** What lets requests in: sessions, API keys and roles are this domain's. */
export const gatekeeper: Gatekeeper = {
  keyCacheKey,
  guards: accessGuards,
  findKey: async (deps: Deps, digest, cached) => {
    const known = readRecord(cached);
    if (known) return toActor(known);
    const [[row]] = await deps.db.read(liveKeyByDigest(digest));
    if (!row) return null;
    deps.defer(() => deps.redis.set(keyCacheKey(digest), JSON.stringify(row), { ex: RECORD_TTL_S }));
    deps.defer(() => deps.db.writeResent(noteKeyUse(row.id)));
    return toActor(row);
  },
};
