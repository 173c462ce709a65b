/** The only source of time in the Worker; services take it from Deps, tests may freeze it. */
export interface Clock {
  now: () => Date;
}

export const systemClock: Clock = { now: () => new Date() };

/** Seconds since the epoch, rounded down, as JWT and signature headers carry them. */
export function unixSeconds(clock: Clock): number {
  return Math.floor(clock.now().getTime() / 1000);
}
