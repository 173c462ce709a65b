export { guestToken } from './access.ts';
export { orderAdminRoutes } from './admin-routes/index.ts';
export { orderById, type OrderRow } from './queries/orders.ts';
export { presentOrder } from './service.ts';
export { Order } from './schema.ts';
export { orderRoutes } from './routes.ts';
export { privacyAdminRoutes } from './privacy/admin-routes.ts';
export { privacyRoutes } from './privacy/routes.ts';
