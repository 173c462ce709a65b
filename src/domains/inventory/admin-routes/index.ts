import { Hono } from 'hono';
import type { AppEnv } from '../../../platform/http/context.ts';
import { kitRoutes } from './kits.ts';
import { levelRoutes } from './levels.ts';
import { locationRoutes } from './locations.ts';
import { reservationRoutes } from './reservations.ts';
import { stockRoutes } from './stock.ts';

export const inventoryAdminRoutes = new Hono<AppEnv>()
  .route('/', levelRoutes)
  .route('/', stockRoutes)
  .route('/', locationRoutes)
  .route('/', reservationRoutes)
  .route('/', kitRoutes);
