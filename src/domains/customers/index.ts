export { customerByEmail, customerById, insertCustomer, type CustomerRow } from './queries.ts';
export { customerRoutes } from './routes.ts';
export { Address, Customer } from './schema.ts';
