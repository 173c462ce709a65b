import { DurableObject } from 'cloudflare:workers';
import { ConfigError, parseConfig } from './platform/config.ts';
import { seriesKey, type FlushBatch } from './platform/telemetry/metrics/buffer.ts';
import type { Family } from './platform/telemetry/metrics/family.ts';
import { PushGroups, type Push } from './platform/telemetry/push/groups.ts';
import { createRemoteWriter } from './platform/telemetry/remote-write/create.ts';
import type { RemoteWriter, RemoteWriteReport } from './platform/telemetry/remote-write/writer.ts';
import { addDelta, emptyTotals, runtimeGauges, toFamilies, type Totals } from './platform/telemetry/metrics/totals.ts';
import { CommitLog } from './platform/telemetry/metrics/commit-log.ts';
import { systemClock } from './platform/clock.ts';
import { currencyExponent } from './platform/money.ts';
import type { MetricName } from './platform/telemetry/names.ts';

/** Milliseconds in which batches of several isolates share one commit. */
const GROUP_MS = 20;
const SOURCES_MAX = 10_000;
const nowMs = (): number => systemClock.now().getTime();
const DAY_MS = 86_400_000;
const LAST_SUCCESS: MetricName = 'ecommerce_tick_last_success_timestamp_seconds';

/** Known without the clockwork: alerts must tell a shop whose clockwork never ran from no shop at all. */
function buildGauge(env: object): Record<string, number> {
  try {
    const { SERVICE_VERSION, ENVIRONMENT } = parseConfig(env);
    return { [seriesKey('ecommerce_build_info', [SERVICE_VERSION, ENVIRONMENT])]: 1 };
  } catch (error) {
    if (error instanceof ConfigError) return {};
    throw error;
  }
}

type Commit = Pick<FlushBatch, 'source' | 'seq' | 'counters' | 'histograms' | 'inFlight'> & { atMs: number };

/**
 * Where the counts of all isolates come together. Batches that arrive together are written as one row, and their replies
 * leave after it is durable (the output gate); a (source, seq) that was taken in is not taken in again. One row a commit
 * instead of one a series keeps a billion requests a month at the price of a few million rows.
 */
export class MetricsAggregator extends DurableObject {
  private totals: Totals = emptyTotals();
  private pending: Commit[] = [];
  private committing: Promise<void> | null = null;
  private readonly log: CommitLog;
  private flushLagMs = 0;
  private readonly groups: PushGroups;
  private readonly remote: RemoteWriter | null;
  private readonly build: Record<string, number>;

  constructor(state: DurableObjectState, env: Cloudflare.Env) {
    super(state, env);
    const { sql } = state.storage;
    this.log = new CommitLog(sql);
    const { snapshot, commits } = this.log.load();
    if (snapshot !== null) this.totals = JSON.parse(snapshot);
    for (const commit of commits) {
      const batches: Commit[] = JSON.parse(commit);
      for (const batch of batches) this.apply(batch);
    }
    this.groups = new PushGroups(sql);
    this.build = buildGauge(env);
    this.remote = createRemoteWriter(env, sql, () => this.families());
    if (this.remote !== null) void state.blockConcurrencyWhile(() => this.watch());
  }

  /** Null when the push was taken in, otherwise what is wrong with it. */
  push(push: Push): string | null {
    return this.groups.push(push, nowMs());
  }

  /** Null when no receiver is configured. */
  async pushNow(): Promise<RemoteWriteReport | null> {
    return this.remote === null ? null : await this.remote.pushNow();
  }

  /** The alarm sets itself anew each time; only an object that never had one needs this. */
  private async watch(): Promise<void> {
    const { storage } = this.ctx;
    if ((await storage.getAlarm()) === null) await storage.setAlarm(nowMs());
  }

  override async alarm(): Promise<void> {
    if (this.remote !== null) await this.ctx.storage.setAlarm(await this.remote.run());
  }

  /** Resolves when the batch is durable; a batch seen before is acknowledged and dropped. */
  async ingest(batch: FlushBatch): Promise<void> {
    const known = this.totals.sources[batch.source]?.seq ?? 0;
    const atMs = nowMs();
    this.flushLagMs = Math.max(0, atMs - batch.sinceMs);
    const { source, seq, inFlight } = batch;
    const taken = seq > known;
    const counters = taken
      ? { ...batch.counters, ecommerce_runtime_flushes_total: 1, ecommerce_runtime_dropped_series_total: batch.dropped }
      : { ecommerce_runtime_flush_duplicates_total: 1 };
    const commit = {
      source,
      seq: Math.max(seq, known),
      inFlight,
      atMs,
      counters,
      histograms: taken ? batch.histograms : {},
    };
    this.apply(commit);
    this.pending.push(commit);
    await this.commitSoon();
  }

  /**
   * All of them, once a minute: one that is missing has ended, but the last success, which is only there after one. Kept in
   * the snapshot, so that an eviction ends none.
   */
  setGauges(gauges: Record<string, number>): void {
    const { [LAST_SUCCESS]: last } = this.totals.gauges;
    this.totals.gauges = { ...(last !== undefined && { [LAST_SUCCESS]: last }), ...gauges };
    this.commitNow();
    this.snapshot();
  }

  /** Commits first, so that a counter that was scraped never goes back. */
  async families(): Promise<Family[]> {
    this.commitNow();
    const gauges = { ...this.build, ...this.totals.gauges, ...runtimeGauges(this.totals, this.flushLagMs, nowMs()) };
    return [...toFamilies({ ...this.totals, gauges }, currencyExponent), ...this.groups.families()];
  }

  private apply(commit: Commit): void {
    const { source, seq, atMs, inFlight } = commit;
    const dropped = addDelta(this.totals, commit);
    if (dropped > 0)
      addDelta(this.totals, { counters: { ecommerce_runtime_dropped_series_total: dropped }, histograms: {} });
    this.totals.sources[source] = { seq, atMs, inFlight };
  }

  private commitSoon(): Promise<void> {
    this.committing ??= scheduler.wait(GROUP_MS).then(() => this.commitNow());
    return this.committing;
  }

  private commitNow(): void {
    this.committing = null;
    if (this.pending.length === 0) return;
    const isSnapshotDue = this.log.append(JSON.stringify(this.pending));
    this.pending = [];
    if (isSnapshotDue) this.snapshot();
  }

  private snapshot(): void {
    this.forgetOldSources();
    this.log.replaceBySnapshot(JSON.stringify(this.totals));
  }

  /** A source that has been silent for a day is an isolate long dead: it sends nothing twice any more. */
  private forgetOldSources(): void {
    const known = Object.entries(this.totals.sources).toSorted(([, a], [, b]) => b.atMs - a.atMs);
    const kept = known.filter(([, { atMs }], index) => index < SOURCES_MAX && nowMs() - atMs < DAY_MS);
    this.totals.sources = Object.fromEntries(kept);
  }
}
