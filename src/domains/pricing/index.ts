export {
  price,
  type Discount,
  type Priced,
  type PricedLine,
  type PricingInput,
  type PricingLine,
  type Totals,
} from './rules.ts';
