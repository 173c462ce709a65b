import type { FlushBatch, MetricsBuffer } from './buffer.ts';

/** What takes batches in: the Durable Object, over RPC. */
export interface Aggregator {
  ingest(batch: FlushBatch): Promise<void>;
}

export interface FlusherOptions {
  /** Names this isolate; (source, seq) is taken in once however often it is sent. */
  source: string;
  intervalMs: number;
  nowMs: () => number;
  /** Milliseconds to wait; workerd's scheduler, or a test's. */
  wait: (ms: number) => Promise<void>;
  inFlight: () => number;
}

const TRIES_MAX = 3;
const TRY_TIMEOUT_MS = 2_000;
const RETRY_DELAY_MS = 300;
/** A flush that was scheduled and never ran died with its request: the next request may schedule another. */
const LOST_AFTER_MS = 30_000;

/**
 * Sends the isolate's observations at most once per interval. A batch that was not acknowledged is kept frozen and sent
 * again under its number before anything newer, so counts stay exact under lost requests and lost replies; only the
 * isolate's own death loses what it had not sent. Interval (20 s at most) and tries end within the 30 s of waitUntil.
 */
export class Flusher {
  private readonly buffer: MetricsBuffer;
  private readonly options: FlusherOptions;
  private frozen: FlushBatch | null = null;
  private seq = 0;
  private scheduledAtMs: number | null = null;

  constructor(buffer: MetricsBuffer, options: FlusherOptions) {
    this.buffer = buffer;
    this.options = options;
  }

  /** True for the one request per interval that has to run `flushLater` behind its reply. */
  claim(): boolean {
    const now = this.options.nowMs();
    if (this.scheduledAtMs !== null && now - this.scheduledAtMs < this.options.intervalMs + LOST_AFTER_MS) return false;
    this.scheduledAtMs = now;
    return true;
  }

  /** Never rejects: what could not be sent waits for the next flush. */
  async flushLater(aggregator: Aggregator): Promise<void> {
    await this.options.wait(this.options.intervalMs);
    // From here on a new observation belongs to the next flush, which may be scheduled while this one is under way.
    this.scheduledAtMs = null;
    await this.flush(aggregator);
  }

  /** The kept batch first, then what was observed since; the tries are for both together, or they would not end in time. */
  async flush(aggregator: Aggregator): Promise<void> {
    const kept = this.frozen;
    const left = kept === null ? TRIES_MAX : await this.deliver(aggregator, kept, TRIES_MAX);
    if (left === 0) return;
    this.frozen ??= this.freeze();
    if (this.frozen !== null) await this.deliver(aggregator, this.frozen, left);
  }

  /** Forgets the batch once it is taken in. Answers how many tries are left. */
  private async deliver(aggregator: Aggregator, batch: FlushBatch, triesMax: number): Promise<number> {
    for (let tries = 1; tries <= triesMax; tries += 1) {
      if (await this.isTaken(aggregator, batch)) {
        if (this.frozen === batch) this.frozen = null;
        return triesMax - tries;
      }
      if (tries < triesMax) await this.options.wait(RETRY_DELAY_MS * tries);
    }
    return 0;
  }

  private freeze(): FlushBatch | null {
    const delta = this.buffer.take();
    if (delta === null) return null;
    this.seq += 1;
    return { ...delta, source: this.options.source, seq: this.seq, inFlight: this.options.inFlight() };
  }

  private async isTaken(aggregator: Aggregator, batch: FlushBatch): Promise<boolean> {
    try {
      await withTimeout(aggregator.ingest(batch), this.options.wait(TRY_TIMEOUT_MS));
      return true;
    } catch {
      return false;
    }
  }
}

async function withTimeout(work: Promise<void>, timeout: Promise<void>): Promise<void> {
  const late = timeout.then(() => {
    throw new Error('no answer in time');
  });
  late.catch(() => undefined);
  await Promise.race([work, late]);
}
