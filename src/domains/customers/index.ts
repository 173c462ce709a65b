export { customerRoutes } from './routes/index.ts';
export { Address } from './schema.ts';
