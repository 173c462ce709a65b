import { type LokiTarget, push } from './push.ts';
import { type TailItem, toPushes, toStreams } from './streams.ts';

/**
 * A tail Worker that ships the shop's log lines to Loki. Opt in: deploy it by its own wrangler.toml, then name it under
 * `tail_consumers` of the shop. Labels are service, env and level only: anything with many values (a request id, a path)
 * stays in the line, where LogQL's `| json` finds it.
 */
export interface LokiEnv extends LokiTarget {
  /** The label `env`. */
  ENVIRONMENT: string;
}

/** Of lines in one push: far below the 4 MiB that Loki takes, so that JSON's escapes fit too. */
const PUSH_CHARACTERS_MAX = 1_000_000;

export default {
  async tail(items: readonly TailItem[], env: LokiEnv): Promise<void> {
    for (const streams of toPushes(toStreams(items, env.ENVIRONMENT), PUSH_CHARACTERS_MAX)) await push(streams, env);
  },
};
