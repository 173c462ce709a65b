/** Replies that show products, their prices and stock, and the markets they are sold in are cached and dropped together. */
export const CATALOG_CACHE = 'catalog';
