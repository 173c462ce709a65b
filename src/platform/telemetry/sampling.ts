/** The last seven bytes of a trace id are its randomness (W3C Trace Context level 2). */
const RANDOM_DIGITS = 14;
const RANDOM_SPAN = 2 ** 56;

/**
 * The same answer for one trace wherever it is asked, and yes for a share of `rate` (0 to 1) of all traces: randomness must
 * reach the rejection threshold, as OpenTelemetry's consistent probability sampling decides it in other services, too.
 */
export function isSampled(traceId: string, rate: number): boolean {
  return BigInt(`0x${traceId.slice(-RANDOM_DIGITS)}`) >= BigInt(Math.round((1 - rate) * RANDOM_SPAN));
}
