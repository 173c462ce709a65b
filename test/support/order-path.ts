import type { Exchange } from './fault-proxy.ts';

/** The exchanges of the order path, told apart by what only they send. */
export const isBatch1 = (exchange: Exchange): boolean => exchange.requestBody.includes('insert into orders');
export const isBatch2 = (exchange: Exchange): boolean =>
  exchange.requestBody.includes('fence_lost') && !isBatch1(exchange);
export const isCharge = (exchange: Exchange): boolean => exchange.path === '/v1/payment_intents';

/** A promise to be kept by hand: the interleaving is forced, never waited for. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
