import { createApp } from './app.ts';
import { createDeps, runLater } from './deps.ts';
import { ConfigError } from './platform/config.ts';
import { aggregatorOf } from './platform/telemetry/metrics/isolate.ts';
import { runtimeOf } from './observe.ts';
import { tick } from './tick.ts';

export { MetricsAggregator } from './metrics-object.ts';

const app = createApp();

export default {
  fetch: app.fetch,
  async scheduled(_controller, env, context) {
    const runtime = runtimeOf(env);
    if (runtime instanceof ConfigError) throw runtime;
    await tick(createDeps(runtime, { db: 0, redis: 0, provider: 0 }, []), aggregatorOf(env));
    const flush = runtime.isolate.flushLater(env);
    if (flush) context.waitUntil(runLater(runtime, [flush]));
  },
} satisfies ExportedHandler<object>;
