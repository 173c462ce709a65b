import { DurableObject } from 'cloudflare:workers';
import type { FlushBatch } from './platform/telemetry/metrics/buffer.ts';
import type { Family } from './platform/telemetry/metrics/family.ts';
import { PushGroups, type Push } from './platform/telemetry/push/groups.ts';
import { createRemoteWriter } from './platform/telemetry/remote-write/create.ts';
import type { RemoteWriter, RemoteWriteReport } from './platform/telemetry/remote-write/writer.ts';
import { addDelta, emptyTotals, runtimeGauges, toFamilies, type Totals } from './platform/telemetry/metrics/totals.ts';
import { systemClock } from './platform/clock.ts';
import { currencyExponent } from './platform/money.ts';

/** Milliseconds in which batches of several isolates share one commit. */
const GROUP_MS = 20;
/** Commits between two snapshots: what a restart has to replay at most. */
const SNAPSHOT_EVERY = 200;
const SOURCES_MAX = 10_000;
const DAY_MS = 86_400_000;

type Row = { body: string };
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
  private commits = 0;
  private flushLagMs = 0;
  private readonly groups: PushGroups;
  private readonly remote: RemoteWriter | null;

  constructor(state: DurableObjectState, env: Cloudflare.Env) {
    super(state, env);
    const { sql } = state.storage;
    sql.exec('create table if not exists commits (id integer primary key, body text not null)');
    sql.exec('create table if not exists snapshots (id integer primary key check (id = 1), body text not null)');
    for (const { body } of sql.exec<Row>('select body from snapshots')) this.totals = JSON.parse(body);
    for (const { body } of sql.exec<Row>('select body from commits order by id')) {
      const batches: Commit[] = JSON.parse(body);
      for (const batch of batches) this.apply(batch);
      this.commits += 1;
    }
    this.groups = new PushGroups(sql);
    this.remote = createRemoteWriter(env, sql, () => this.families());
    if (this.remote !== null) void state.blockConcurrencyWhile(() => this.watch());
  }

  /** Null when the push was taken in, otherwise what is wrong with it. */
  push(push: Push): string | null {
    return this.groups.push(push, systemClock.now().getTime());
  }

  /** Null when no receiver is configured. */
  async pushNow(): Promise<RemoteWriteReport | null> {
    return this.remote === null ? null : await this.remote.pushNow();
  }

  /** The alarm sets itself anew each time; only an object that never had one needs this. */
  private async watch(): Promise<void> {
    const { storage } = this.ctx;
    if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now());
  }

  override async alarm(): Promise<void> {
    if (this.remote !== null) await this.ctx.storage.setAlarm(await this.remote.run());
  }

  /** Resolves when the batch is durable; a batch seen before is acknowledged and dropped. */
  async ingest(batch: FlushBatch): Promise<void> {
    const known = this.totals.sources[batch.source]?.seq ?? 0;
    const atMs = Date.now();
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

  /** Last values win; they are sampled anew every minute, so they are not worth a row of their own. */
  setGauges(gauges: Record<string, number>): void {
    Object.assign(this.totals.gauges, gauges);
  }

  /** Commits first, so that a counter that was scraped never goes back. */
  async families(): Promise<Family[]> {
    this.commitNow();
    const gauges = { ...this.totals.gauges, ...runtimeGauges(this.totals, this.flushLagMs, Date.now()) };
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
    const { sql } = this.ctx.storage;
    sql.exec('insert into commits (body) values (?)', JSON.stringify(this.pending));
    this.pending = [];
    this.commits += 1;
    if (this.commits < SNAPSHOT_EVERY) return;
    this.forgetOldSources();
    sql.exec('insert or replace into snapshots (id, body) values (1, ?)', JSON.stringify(this.totals));
    sql.exec('delete from commits');
    this.commits = 0;
  }

  /** A source that has been silent for a day is an isolate long dead: it sends nothing twice any more. */
  private forgetOldSources(): void {
    const known = Object.entries(this.totals.sources).toSorted(([, a], [, b]) => b.atMs - a.atMs);
    const kept = known.filter(([, { atMs }], index) => index < SOURCES_MAX && Date.now() - atMs < DAY_MS);
    this.totals.sources = Object.fromEntries(kept);
  }
}
