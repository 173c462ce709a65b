/** Attempts before a delivery is given up and the row is dead: about a day with the delays below. */
const ATTEMPTS_MAX = 12;

const FIRST_DELAY_S = 10;
const DELAY_S_MAX = 4 * 3600;

/** Seconds until the next attempt, doubling; null when there is none. */
export function retryDelayS(attempts: number): number | null {
  if (attempts >= ATTEMPTS_MAX) return null;
  return Math.min(DELAY_S_MAX, FIRST_DELAY_S * 2 ** attempts);
}
