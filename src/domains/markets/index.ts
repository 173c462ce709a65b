export { CATALOG_CACHE } from './cache.ts';
export { chosenMarketId } from './queries.ts';
export { MarketCode } from './schema.ts';
export { marketRoutes } from './routes.ts';
