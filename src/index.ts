import { createApp } from './app.ts';
import { ConfigError } from './platform/config.ts';
import { runtimeOf } from './observe.ts';
import { runTick } from './tick.ts';

export { Clockwork } from './clockwork-object.ts';
export { MetricsAggregator } from './metrics-object.ts';

const app = createApp();

export default {
  fetch: app.fetch,
  async scheduled(_controller, env, context) {
    const runtime = runtimeOf(env);
    if (runtime instanceof ConfigError) throw runtime;
    await runTick(runtime, env, context);
  },
} satisfies ExportedHandler<object>;
