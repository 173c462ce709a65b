import { DurableObject } from 'cloudflare:workers';
import { ConfigError } from './platform/config.ts';
import { runtimeOf } from './observe.ts';
import { runTick } from './tick.ts';
import { systemClock } from './platform/clock.ts';

/** The cron of those who run workerd themselves, which has none: an alarm that winds itself. On Cloudflare it has no binding. */
export class Clockwork extends DurableObject {
  /** Ticks now, and every TICK_INTERVAL seconds from then on; asked at each start of the process, it never doubles. */
  async start(): Promise<void> {
    await this.ctx.storage.setAlarm(systemClock.now().getTime());
  }

  /** Wound first: neither a failure, which the tick has logged, nor the end of the process stops the clock. */
  override async alarm(): Promise<void> {
    const runtime = runtimeOf(this.env);
    if (runtime instanceof ConfigError) return;
    await this.ctx.storage.setAlarm(systemClock.now().getTime() + runtime.config.TICK_INTERVAL * 1000);
    const execution = {
      waitUntil: (work: Promise<unknown>) => this.ctx.waitUntil(work),
      passThroughOnException: () => undefined,
    };
    await runTick(runtime, this.env, execution).catch(() => undefined);
  }
}
