export { customerRoutes } from './routes.ts';
export { Address } from './schema.ts';
