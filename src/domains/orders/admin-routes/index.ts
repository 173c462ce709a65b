import { Hono } from 'hono';
import type { AppEnv } from '../../../platform/http/context.ts';
import { fulfillmentRoutes } from './fulfillments.ts';
import { adminOrderRoutes } from './orders.ts';
import { refundRoutes } from './refunds.ts';

export const orderAdminRoutes = new Hono<AppEnv>()
  .route('/', adminOrderRoutes)
  .route('/', fulfillmentRoutes)
  .route('/', refundRoutes);
