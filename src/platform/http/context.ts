import type { Context } from 'hono';
import type { Deps } from '../deps.ts';
import type { Actor } from '../auth/actor.ts';
import type { RequestRecord } from '../telemetry/record.ts';

/** What every handler finds on the context. */
export interface AppEnv {
  Bindings: object;
  Variables: {
    deps: Deps;
    actor: Actor;
    record: RequestRecord;
  };
}

export type AppContext = Context<AppEnv>;
