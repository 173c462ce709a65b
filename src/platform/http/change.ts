import { requireIfMatch } from './etag.ts';
import { once, type Claim } from './idempotency.ts';
import type { AppContext } from './context.ts';

/** What a change of one resource by staff brings along from its request. */
export interface Change {
  id: string;
  /** The versions that If-Match names; null for `*`, and for what is new. */
  versions: readonly number[] | null;
  claim: Claim | null;
  requestId: string;
}

/**
 * Runs a one-batch change under If-Match and an optional Idempotency-Key. `current` answers what is there now to a repeat
 * whose first reply was lost.
 */
export function changeOnce(
  c: AppContext,
  id: string,
  run: (on: Change) => Promise<Response>,
  current: (id: string) => Promise<Response>,
): Promise<Response> {
  const versions = requireIfMatch(c);
  return once(c, (claim) => run({ id, versions, claim, requestId: c.get('record').requestId }), current);
}

/** The same for a resource that is made: its id is new. */
export function createOnce(
  c: AppContext,
  run: (on: Change) => Promise<Response>,
  current: (id: string) => Promise<Response>,
): Promise<Response> {
  const id = c.get('deps').ids.uuid();
  return once(c, (claim) => run({ id, versions: null, claim, requestId: c.get('record').requestId }), current);
}
