import { createApp } from './app.ts';
import { createDeps } from './deps.ts';
import { ConfigError } from './platform/config.ts';
import { runtimeOf } from './observe.ts';
import { tick } from './tick.ts';

const app = createApp();

export default {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    const runtime = runtimeOf(env);
    if (runtime instanceof ConfigError) throw runtime;
    await tick(createDeps(runtime, { db: 0, redis: 0, provider: 0 }, []));
  },
} satisfies ExportedHandler<object>;
