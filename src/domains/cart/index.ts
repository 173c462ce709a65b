export { cartRoutes } from './routes.ts';
export { cartView, ownedCart, type CartRow } from './queries/view.ts';
export { isBuyable, priceCart, totalsOf, type BuyableItem } from './rules.ts';
export { createCart } from './service.ts';
export { CartId, NewCart, PricedItem, Promotion, Totals } from './schema.ts';
export { removeExpiredCarts, removeUnordered } from './queries/change.ts';
export { eraseCarts, heldCarts, lockCarts } from './queries/privacy.ts';
