export { orderById, type OrderRow } from './queries.ts';
export { guestToken, presentOrder } from './service.ts';
export { Order } from './schema.ts';
export { orderRoutes } from './routes.ts';
export { privacyAdminRoutes } from './privacy/admin-routes.ts';
export { privacyRoutes } from './privacy/routes.ts';
