/** 2^56: the last seven bytes of a trace id are its randomness (W3C Trace Context level 2). */
const RANDOM_SPAN = 2 ** 56;

/** The same answer for one trace wherever it is asked, and for a share of `rate` of all traces. */
export function isSampled(traceId: string, rate: number): boolean {
  return rate >= 1 || Number(BigInt(`0x${traceId.slice(-14)}`)) < rate * RANDOM_SPAN;
}
