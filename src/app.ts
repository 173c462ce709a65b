import { Hono } from 'hono';
import { AppError } from './platform/errors.ts';
import { corsByConfig, keepPrivate, limitBody, limitHeaders, securityHeaders } from './platform/http/middleware.ts';
import { createAdmit } from './platform/http/admit.ts';
import { methodsByPath } from './platform/http/methods.ts';
import { describeCause, problem, toAppError } from './platform/http/problem.ts';
import { etagReads } from './platform/http/etag.ts';
import { observe } from './observe.ts';
import type { AppEnv } from './platform/http/context.ts';
import { auditAdminRoutes } from './domains/audit/index.ts';
import { cartRoutes } from './domains/cart/index.ts';
import { catalogRoutes } from './domains/catalog/index.ts';
import { checkoutAdminRoutes, checkoutRoutes } from './domains/checkout/index.ts';
import { customerAdminRoutes, customerRoutes } from './domains/customers/index.ts';
import { aggregatorOf } from './platform/telemetry/metrics/isolate.ts';
import { createPushRoutes } from './platform/telemetry/push/routes.ts';
import { healthRoutes } from './health.ts';
import { inventoryAdminRoutes } from './domains/inventory/index.ts';
import { metricsRoutes } from './metrics-routes.ts';
import { marketRoutes } from './domains/markets/index.ts';
import { paymentAdminRoutes } from './domains/payments/index.ts';
import { gatekeeper, identityAdminRoutes, identityRoutes } from './domains/identity/index.ts';
import { orderAdminRoutes, orderRoutes, privacyAdminRoutes, privacyRoutes } from './domains/orders/index.ts';

/** Middleware in the order of the design; then one chained sub-app per domain, so that `AppType` is typed for hono/client. */
export function createApp() {
  const api = new Hono<AppEnv>()
    .use(keepPrivate, etagReads, createAdmit(gatekeeper))
    .route('/', identityRoutes)
    .route('/', customerRoutes)
    .route('/', marketRoutes)
    .route('/', catalogRoutes)
    .route('/', cartRoutes)
    .route('/', orderRoutes)
    .route('/', privacyRoutes)
    .route('/', privacyAdminRoutes)
    .route('/', checkoutRoutes)
    .route('/', inventoryAdminRoutes)
    .route('/', paymentAdminRoutes)
    .route('/', checkoutAdminRoutes)
    .route('/', orderAdminRoutes)
    .route('/', auditAdminRoutes)
    .route('/', identityAdminRoutes)
    .route('/', customerAdminRoutes);
  const app = new Hono<AppEnv>()
    .use(observe, securityHeaders, corsByConfig, limitHeaders)
    // A push has its own limit.
    .route('/', createPushRoutes(aggregatorOf))
    .use(limitBody)
    .route('/', healthRoutes)
    .route('/', metricsRoutes)
    .route('/api/v1', api);
  const methodsOf = methodsByPath(app.routes);
  app.notFound((c) => {
    const allowed = methodsOf(c.req.path);
    if (allowed.length === 0) return problem(c, new AppError('not_found', `No route ${c.req.method} ${c.req.path}.`));
    c.header('Allow', allowed.join(', '));
    return problem(c, new AppError('method_not_allowed', `This path takes ${allowed.join(', ')}.`));
  });
  app.onError((thrown, c) => {
    const error = toAppError(thrown);
    c.get('record').cause = error.cause === undefined ? null : describeCause(error.cause);
    return problem(c, error);
  });
  return app;
}

export type AppType = ReturnType<typeof createApp>;
