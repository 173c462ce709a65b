import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId, now } from './book.ts';
import type { EventType, Subject } from './shapes.ts';

export interface WebhookEvent {
  id: string;
  object: 'event';
  type: EventType;
  created: number;
  data: { object: Subject };
}

/** send: at once. duplicate: at once, twice. hold: at flush, in order. reverse: at flush, newest first. */
export type WebhookMode = 'send' | 'hold' | 'duplicate' | 'reverse';

export const WEBHOOK_MODES: readonly string[] = ['send', 'hold', 'duplicate', 'reverse'] satisfies WebhookMode[];

const TRIES_MAX = 3;
const RETRY_DELAY_MS = 200;
const TIMEOUT_MS = 10_000;

/** Records every event and delivers it, signed, until the receiver answers 2xx or three tries are used up. */
export class Webhooks {
  url: string | undefined;
  mode: WebhookMode = 'send';
  readonly events: WebhookEvent[] = [];
  readonly #secret: string;
  readonly #closing = new AbortController();
  readonly #underway = new Set<Promise<void>>();
  #held: WebhookEvent[] = [];

  constructor(secret: string, url: string | undefined) {
    this.#secret = secret;
    this.url = url;
  }

  emit(type: EventType, subject: Subject): void {
    const data = { object: structuredClone(subject) };
    const event: WebhookEvent = { id: newId('evt'), object: 'event', type, created: now(), data };
    this.events.push(event);
    if (this.mode === 'hold' || this.mode === 'reverse') {
      this.#held.push(event);
      return;
    }
    this.#track(this.#deliver(event));
    if (this.mode === 'duplicate') this.#track(this.#deliver(event));
  }

  /** Sends what was held, one after the other, and resolves when every delivery has ended. */
  async flush(): Promise<void> {
    const held = this.mode === 'reverse' ? this.#held.reverse() : this.#held;
    this.#held = [];
    for (const event of held) await this.#deliver(event);
    await Promise.all(this.#underway);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#underway);
  }

  #track(delivery: Promise<void>): void {
    this.#underway.add(delivery);
    void delivery.finally(() => this.#underway.delete(delivery));
  }

  async #deliver(event: WebhookEvent): Promise<void> {
    const body = JSON.stringify(event);
    for (let attempt = 1; attempt <= TRIES_MAX && this.url !== undefined; attempt += 1) {
      if ((await this.#post(this.url, body)) || attempt === TRIES_MAX) return;
      await sleep(RETRY_DELAY_MS * attempt, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      if (this.#closing.signal.aborted) return;
    }
  }

  async #post(url: string, body: string): Promise<boolean> {
    const signature = sign(body, this.#secret, now());
    const headers = {
      'content-type': 'application/json',
      'test-signature': signature,
      'stripe-signature': signature,
    };
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      const reply = await fetch(url, { method: 'POST', headers, body, signal });
      await reply.arrayBuffer();
      return reply.ok;
    } catch {
      return false;
    }
  }
}

/** `t=<unix seconds>,v1=<hex hmac-sha256 of "t.body">`. */
function sign(body: string, secret: string, unixSeconds: number): string {
  const mac = createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex');
  return `t=${unixSeconds},v1=${mac}`;
}
