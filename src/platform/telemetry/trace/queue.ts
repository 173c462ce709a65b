import type { OtlpSpan } from './otlp.ts';
import type { PostOutcome } from './post.ts';

/** Why spans never arrived; also the values of a metric's label. */
export type DropReason = 'queue_full' | Exclude<PostOutcome, 'taken'>;

export interface SpanQueueOptions {
  nowMs: () => number;
  /** Milliseconds to wait; a timer, or a test's. */
  wait: (ms: number) => Promise<void>;
  /** One POST with its own bounded tries. Never rejects. */
  send: (spans: readonly OtlpSpan[]) => Promise<PostOutcome>;
  onDrop: (spans: number, reason: DropReason) => void;
}

/** Some eighty checkouts; at some 2 KB a span the isolate holds 4 MB at worst. */
const SPANS_MAX = 2_048;
/** From here on a flush does not wait. */
const FULL_ENOUGH = 512;
const FLUSH_AFTER_MS = 1_000;
/** A flush that is older died with its request: the next one may start anew. */
const LOST_AFTER_MS = 30_000;
const ROUNDS_MAX = 2;

/**
 * Spans of all requests of an isolate between two flushes, one POST each. The library's own processor sends one POST per
 * request and keeps an entry per trace for ever (2.9 KB a request, measured).
 */
export class SpanQueue {
  private readonly options: SpanQueueOptions;
  private spans: OtlpSpan[] = [];
  private waitingSinceMs: number | null = null;
  private sendingSinceMs: number | null = null;
  private full = 0;

  constructor(options: SpanQueueOptions) {
    this.options = options;
  }

  add(span: OtlpSpan): void {
    if (this.spans.length < SPANS_MAX) this.spans.push(span);
    else this.full += 1;
  }

  /** Work for behind the reply of the one request that has to flush, or null. */
  flushLater(): (() => Promise<void>) | null {
    if (this.spans.length === 0 || this.isLive(this.sendingSinceMs)) return null;
    if (this.spans.length >= FULL_ENOUGH) {
      this.sendingSinceMs = this.options.nowMs();
      return () => this.flush();
    }
    if (this.isLive(this.waitingSinceMs)) return null;
    this.waitingSinceMs = this.options.nowMs();
    return async () => {
      await this.options.wait(FLUSH_AFTER_MS);
      this.waitingSinceMs = null;
      if (this.isLive(this.sendingSinceMs)) return;
      this.sendingSinceMs = this.options.nowMs();
      await this.flush();
    };
  }

  /** What came while a POST was under way goes out with the next; bounded, to end within the 30 s of waitUntil. */
  private async flush(): Promise<void> {
    try {
      for (let rounds = 0; rounds < ROUNDS_MAX && this.spans.length > 0; rounds += 1) {
        const taken = this.spans;
        this.spans = [];
        const outcome = await this.options.send(taken);
        if (outcome !== 'taken') this.options.onDrop(taken.length, outcome);
        if (this.full > 0) this.options.onDrop(this.full, 'queue_full');
        this.full = 0;
        if (outcome !== 'taken') return;
      }
    } finally {
      this.sendingSinceMs = null;
    }
  }

  private isLive(sinceMs: number | null): boolean {
    return sinceMs !== null && this.options.nowMs() - sinceMs < LOST_AFTER_MS;
  }
}
