import { invalidate } from '../../platform/cache/replies.ts';
import type { Deps } from '../../platform/deps.ts';
import { CATALOG_CACHE } from '../markets/index.ts';

/** Call it after a batch that moved stock is committed: products show what is left of them. */
export function stockChanged(deps: Deps): void {
  invalidate(deps, CATALOG_CACHE);
}
