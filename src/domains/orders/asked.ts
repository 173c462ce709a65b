import type { Claim } from '../../platform/http/idempotency.ts';
import type { AppContext } from '../../platform/http/context.ts';
import type { Asked } from './change.ts';

/** Who asks, for verbs that change an order. */
export function askedBy(c: AppContext, claim: Claim | null): Asked {
  return { actor: c.get('actor'), claim, requestId: c.get('record').requestId };
}
