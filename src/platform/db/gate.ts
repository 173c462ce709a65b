import type { Clock } from '../clock.ts';
import { DatabaseUnreachable } from './errors.ts';

/** Lets one batch in, with what is left of its time; DatabaseUnreachable when there was no room within `timeoutMs`. */
export type Gate = (timeoutMs: number) => Promise<{ leftMs: number; leave: () => void }>;

/** How long after its own timeout a batch is held to be gone without having left. */
const GONE_MS = 1_000;
/** How long a place may stay free because the one it was called out to is gone. */
const POLL_MS = 100;

interface Ticket {
  wake: () => void;
}

/**
 * At most `max` batches of this isolate at a time; the rest waits, first come first served. A request whose client hangs
 * up may be stopped anywhere, so a place that was not left is free again when its time is over, and nobody who waits
 * depends on being woken by another.
 */
export function createGate(max: number, clock: Clock): Gate {
  const inside = new Set<{ untilMs: number }>();
  let line: Ticket[] = [];
  const nowMs = () => clock.now().getTime();

  function hasRoom(): boolean {
    if (inside.size < max) return true;
    const now = nowMs();
    for (const place of inside) if (place.untilMs < now) inside.delete(place);
    return inside.size < max;
  }

  async function waitInLine(deadlineMs: number): Promise<void> {
    const ticket: Ticket = { wake: () => undefined };
    line.push(ticket);
    try {
      while (!hasRoom()) {
        const leftMs = deadlineMs - nowMs();
        if (leftMs <= 0) throw new DatabaseUnreachable(`${max} batches are at the database already`);
        await sleep(ticket, Math.min(leftMs, POLL_MS));
        // Called out, but someone was quicker.
        if (!line.includes(ticket)) line.unshift(ticket);
      }
    } finally {
      line = line.filter((each) => each !== ticket);
    }
  }

  return async (timeoutMs) => {
    const deadlineMs = nowMs() + timeoutMs;
    if (!hasRoom()) await waitInLine(deadlineMs);
    const place = { untilMs: deadlineMs + GONE_MS };
    inside.add(place);
    const leave = () => {
      inside.delete(place);
      line.shift()?.wake();
    };
    return { leftMs: Math.max(1, deadlineMs - nowMs()), leave };
  };
}

/** Until the ticket is called out, `ms` at most. */
async function sleep(ticket: Ticket, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    ticket.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
