export { checkoutAdminRoutes } from './admin-routes.ts';
export { checkoutRoutes } from './routes.ts';
export { settleUnattended } from './tick.ts';
export { applyStoredWebhooks } from './webhook.ts';
