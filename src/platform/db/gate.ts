import type { Clock } from '../clock.ts';
import { DatabaseUnreachable } from './errors.ts';

/** Lets one batch in, with what is left of its time; DatabaseUnreachable when there was no room within `timeoutMs`. */
export type Gate = (timeoutMs: number) => Promise<{ leftMs: number; leave: () => void }>;

/** How long after its own timeout a batch is held to be gone without having left. */
const GONE_MS = 1_000;
/** How often the first in line looks; the others look less often the further back they stand. */
const LOOK_MS = 4;
const LOOK_MS_MAX = 250;
/** A batch that has less time than that is not sent: its answer would come too late. */
const LEAST_MS = 100;
/** Whoever has not looked for that long is not coming back. */
const ABSENT_MS = 8 * LOOK_MS_MAX;

interface Place {
  untilMs: number;
}

interface Ticket {
  lookedAtMs: number;
}

/**
 * At most `max` batches of this isolate at a time; the rest waits, first come first served but for places that are free at
 * once. Each looks for itself, by a timer of its own: workerd lets no request go on by the hand of another. A request
 * whose client hangs up may be stopped anywhere, so a place that was not left, or not looked for, is given up after a while.
 */
export function createGate(max: number, clock: Clock): Gate {
  const inside = new Set<Place>();
  let line: Ticket[] = [];
  const nowMs = () => clock.now().getTime();

  function freePlaces(): number {
    const now = nowMs();
    if (inside.size >= max) for (const place of inside) if (place.untilMs < now) inside.delete(place);
    return max - inside.size;
  }

  /** How many stand before it. */
  function positionOf(ticket: Ticket): number {
    const absentSinceMs = nowMs() - ABSENT_MS;
    ticket.lookedAtMs = nowMs();
    line = line.filter(({ lookedAtMs }) => lookedAtMs >= absentSinceMs);
    if (!line.includes(ticket)) line.push(ticket);
    return line.indexOf(ticket);
  }

  async function waitInLine(place: Place, deadlineMs: number): Promise<void> {
    const ticket: Ticket = { lookedAtMs: nowMs() };
    line.push(ticket);
    try {
      for (let position = positionOf(ticket); position >= freePlaces(); position = positionOf(ticket)) {
        const leftMs = deadlineMs - nowMs();
        if (leftMs < LEAST_MS) throw new DatabaseUnreachable(`${max} batches are at the database already`);
        await sleep(Math.min(leftMs, LOOK_MS * (position + 1), LOOK_MS_MAX));
      }
      inside.add(place);
    } finally {
      line = line.filter((each) => each !== ticket);
    }
  }

  return async (timeoutMs) => {
    const deadlineMs = nowMs() + timeoutMs;
    const place = { untilMs: deadlineMs + GONE_MS };
    if (line.length < freePlaces()) inside.add(place);
    else await waitInLine(place, deadlineMs);
    return { leftMs: Math.max(1, deadlineMs - nowMs()), leave: () => void inside.delete(place) };
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
