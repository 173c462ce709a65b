import type { LogFields } from '../log.ts';
import type { Family } from '../metrics/family.ts';
import { redact, type Loggable } from '../redact.ts';
import type { RowStorage } from '../row-storage.ts';
import { buildWriteRequest, seriesOf } from './encode.ts';
import { SentSeries } from './sent-series.ts';
import { snappyCompress } from './snappy.ts';

const EVERY_MS = 60_000;
const TIMEOUT_MS = 15_000;
const BACKOFF_MS_MIN = 5_000;
const BACKOFF_MS_MAX = 5 * 60_000;
const RETRY_AFTER_MS_MAX = 60 * 60_000;
/** Below the 2 MB that one row may hold. */
const BODY_BYTES_MAX = 1_900_000;
const REASON_LENGTH_MAX = 300;

export interface RemoteWriteTarget {
  url: string;
  /** HTTP Basic, as Grafana Cloud has it. */
  username?: string | undefined;
  password?: string | undefined;
  userAgent: string;
  /** On every series that does not have the label itself. */
  externalLabels: Readonly<Record<string, string>>;
}

export interface RemoteWriterOptions {
  sql: RowStorage;
  target: RemoteWriteTarget;
  families: () => Promise<Family[]>;
  nowMs: () => number;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** One line for the log: refusals and failures. */
  report: (
    level: 'warn' | 'error',
    message: `remote write ${'failed' | 'was refused' | 'will be sent again'}`,
    facts: LogFields,
  ) => void;
}

export interface RemoteWriteReport {
  /** Samples and staleness markers. */
  series: number;
  /** Length of the compressed body. */
  bytes: number;
  /** Of the answer; null when there was none. */
  status: number | null;
  outcome: 'taken' | 'refused' | 'kept';
}

/** A snapshot on its way: its time and body never change, so that a resend cannot make a second sample of it. */
interface Frozen {
  atMs: number;
  body: Uint8Array<ArrayBuffer>;
  series: number;
  attempts: number;
  notBeforeMs: number;
}

/**
 * Sends all metrics to a Prometheus remote-write receiver (1.0). One snapshot at a time is frozen in SQLite and resent
 * until 2xx, or until the receiver refuses it for good; meanwhile no newer one is made: counters lose nothing by that.
 * A series that the snapshot before had and this one lacks is in it once more, as stale.
 */
export class RemoteWriter {
  readonly #options: RemoteWriterOptions;
  readonly #sent: SentSeries;
  #sending: Promise<RemoteWriteReport> | null = null;

  constructor(options: RemoteWriterOptions) {
    this.#options = options;
    this.#sent = new SentSeries(options.sql);
    options.sql.exec(
      `create table if not exists remote_write (id integer primary key check (id = 1), at_ms integer not null,
        body blob, series integer not null, attempts integer not null, not_before_ms integer not null)`,
    );
  }

  /** For the alarm: sends what is due. Answers when to run next, in milliseconds since the epoch. Never rejects. */
  async run(): Promise<number> {
    const { nowMs, report } = this.#options;
    const frozen = this.#load();
    if (frozen && frozen.notBeforeMs > nowMs()) return frozen.notBeforeMs;
    try {
      await this.#exclusively(() => this.#send(frozen ?? null));
    } catch (error) {
      report('error', 'remote write failed', { cause: redact(String(error)) });
    }
    return this.#load()?.notBeforeMs ?? nowMs() + EVERY_MS;
  }

  /** Sends now, whatever the backoff: first the snapshot that is on its way, and if it went, a fresh one. */
  async pushNow(): Promise<RemoteWriteReport> {
    await this.#sending?.catch(() => undefined);
    return await this.#exclusively(async () => {
      const frozen = this.#load();
      const report = frozen ? await this.#send(frozen) : null;
      return report?.outcome === 'kept' ? report : await this.#send(null);
    });
  }

  #exclusively(work: () => Promise<RemoteWriteReport>): Promise<RemoteWriteReport> {
    this.#sending ??= work().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #send(known: Frozen | null): Promise<RemoteWriteReport> {
    const frozen = known ?? (await this.#freeze());
    const { status, retryAfterMs, reason } = await this.#post(frozen.body);
    const outcome = outcomeOf(status);
    const facts = { series: frozen.series, bytes: frozen.body.byteLength, status };
    if (outcome === 'kept') {
      this.#keep(frozen, retryAfterMs);
      this.#options.report('warn', 'remote write will be sent again', { ...facts, reason });
    } else {
      this.#forget(frozen.atMs);
      if (outcome === 'taken') this.#sent.taken();
      if (outcome === 'refused') this.#options.report('error', 'remote write was refused', { ...facts, reason });
    }
    return { ...facts, outcome };
  }

  async #freeze(): Promise<Frozen> {
    const { sql, target, families, nowMs } = this.#options;
    const [last] = sql.exec('select at_ms from remote_write').toArray();
    const all = await families();
    const series = seriesOf(all, target.externalLabels);
    // Two samples of one series at one time are refused, so time always goes on.
    const atMs = Math.max(nowMs(), Number(last?.['at_ms'] ?? 0) + 1);
    const vanished = this.#sent.compare(
      series.map(({ labels }) => labels),
      atMs,
    );
    const { stale } = vanished;
    const body = snappyCompress(buildWriteRequest({ families: all, series, stale }, atMs));
    if (body.byteLength > BODY_BYTES_MAX) throw new Error(`${body.byteLength} bytes are too many for remote write`);
    const frozen: Frozen = { atMs, body, series: series.length + stale.length, attempts: 0, notBeforeMs: 0 };
    this.#save(frozen);
    this.#sent.save(vanished);
    return frozen;
  }

  async #post(
    body: Uint8Array<ArrayBuffer>,
  ): Promise<{ status: number | null; retryAfterMs: number; reason: Loggable }> {
    const { target, fetch, nowMs } = this.#options;
    const late = new AbortController();
    // Not AbortSignal.timeout: its timer would run on after the answer and keep the object from being evicted.
    const timer = setTimeout(() => late.abort(new Error('no answer in time')), TIMEOUT_MS);
    try {
      const response = await fetch(target.url, {
        method: 'POST',
        headers: headersOf(target),
        body,
        redirect: 'manual',
        signal: late.signal,
      });
      const reason = redact(response.ok ? '' : await response.text(), REASON_LENGTH_MAX);
      if (response.ok) await response.body?.cancel();
      return { status: response.status, retryAfterMs: retryAfterMs(response.headers, nowMs()), reason };
    } catch (error) {
      return { status: null, retryAfterMs: 0, reason: redact(String(error)) };
    } finally {
      clearTimeout(timer);
    }
  }

  #keep(frozen: Frozen, retryAfter: number): void {
    const backoffMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(frozen.attempts, 10));
    const notBeforeMs = this.#options.nowMs() + Math.max(backoffMs, retryAfter);
    this.#save({ ...frozen, attempts: frozen.attempts + 1, notBeforeMs });
  }

  #load(): Frozen | null {
    const [row] = this.#options.sql.exec('select * from remote_write where body is not null').toArray();
    const body = row?.['body'];
    if (row === undefined || !(body instanceof ArrayBuffer)) return null;
    return {
      atMs: Number(row['at_ms']),
      body: new Uint8Array(body),
      series: Number(row['series']),
      attempts: Number(row['attempts']),
      notBeforeMs: Number(row['not_before_ms']),
    };
  }

  #save({ atMs, body, series, attempts, notBeforeMs }: Frozen): void {
    this.#options.sql.exec(
      'insert or replace into remote_write (id, at_ms, body, series, attempts, not_before_ms) values (1, ?, ?, ?, ?, ?)',
      atMs,
      body.slice().buffer,
      series,
      attempts,
      notBeforeMs,
    );
  }

  /** Its time stays, for the next one to be later. */
  #forget(atMs: number): void {
    this.#options.sql.exec('update remote_write set body = null where at_ms = ?', atMs);
  }
}

/** Remote write 1.0: 5xx and 429 may be tried again, any other refusal is final, and a redirect is a wrong URL. */
function outcomeOf(status: number | null): RemoteWriteReport['outcome'] {
  if (status === null || status === 429 || status >= 500) return 'kept';
  return status >= 200 && status < 300 ? 'taken' : 'refused';
}

function headersOf({ username, password, userAgent }: RemoteWriteTarget): Record<string, string> {
  const credentials = new TextEncoder().encode(`${username ?? ''}:${password ?? ''}`);
  return {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'user-agent': userAgent,
    'x-prometheus-remote-write-version': '0.1.0',
    ...(username !== undefined && { authorization: `Basic ${btoa(String.fromCharCode(...credentials))}` }),
  };
}

/** RFC 9110, 10.2.3: seconds, or a date; 0 without one. */
function retryAfterMs(headers: Headers, nowMs: number): number {
  const given = headers.get('retry-after') ?? '';
  const ms = /^\d+$/.test(given) ? Number(given) * 1000 : Date.parse(given) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : 0;
}
