export { customerAdminRoutes } from './admin-routes.ts';
export { customerRoutes } from './routes/index.ts';
export { allAddressesOf } from './queries/addresses.ts';
export { eraseProfile, heldProfile, lockCustomer } from './queries/privacy.ts';
export { toAddress } from './service.ts';
export { Address, Customer, CustomerAddress } from './schema.ts';
