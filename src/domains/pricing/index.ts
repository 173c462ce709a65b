export { price, type Discount, type Priced } from './rules.ts';
