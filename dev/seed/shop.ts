import { hashPassword } from '../../src/platform/auth/password.ts';
import { demoId } from './catalog.ts';

/** What the banner prints; a deployed Worker has neither. */
export const DEMO_LOGINS = {
  staff: { email: 'admin@demo.test', password: 'demo-admin-password' },
  customer: { email: 'buyer@demo.test', password: 'demo-buyer-password' },
} as const;

export const LOCATIONS: [string, string] = [demoId('location main'), demoId('location reserve')];

/** The migration made it. */
const OWNER_ROLE_ID = '00000000-0000-7000-8000-000000000001';

/** Standard rates of value-added tax in parts per million, and one typical US sales tax. */
const TAX: [country: string, name: string, ratePpm: number][] = [
  ['US', 'Sales tax', 88_750],
  ['AT', 'USt', 200_000],
  ['BE', 'BTW', 210_000],
  ['DE', 'MwSt', 190_000],
  ['ES', 'IVA', 210_000],
  ['FI', 'ALV', 255_000],
  ['FR', 'TVA', 200_000],
  ['IE', 'VAT', 230_000],
  ['IT', 'IVA', 220_000],
  ['NL', 'BTW', 210_000],
  ['PT', 'IVA', 230_000],
];
const EU = TAX.map(([country]) => country).filter((country) => country !== 'US');
const US_MARKET = demoId('market us');
const EU_MARKET = demoId('market eu');

/** The rows around the catalog, by table, in the order in which they can be inserted. */
export async function demoShop(): Promise<Record<string, Record<string, unknown>[]>> {
  const staffId = demoId('account admin');
  const customerId = demoId('account buyer');
  const { staff, customer } = DEMO_LOGINS;
  const [staffHash, customerHash] = await Promise.all([hashPassword(staff.password), hashPassword(customer.password)]);
  return {
    markets: [
      market({ id: US_MARKET, code: 'us', name: 'United States', currency: 'USD', countries: ['US'], isDefault: true }),
      market({ id: EU_MARKET, code: 'eu', name: 'European Union', currency: 'EUR', countries: EU, isDefault: false }),
    ],
    tax_rates: TAX.map(([country, name, rate_ppm]) => ({ id: demoId(`tax ${country}`), country, name, rate_ppm })),
    shipping_options: [
      shipping(US_MARKET, 'us-standard', 'Standard, 3 to 5 days', 595, ['US'], 0),
      shipping(US_MARKET, 'us-express', 'Express, next day', 1_995, ['US'], 1),
      shipping(EU_MARKET, 'eu-standard', 'Standard, 3 to 6 days', 490, EU, 0),
      shipping(EU_MARKET, 'eu-express', 'Express, 2 days', 1_490, EU, 1),
      shipping(EU_MARKET, 'de-pickup', 'Parcel locker in Germany', 290, ['DE'], 2),
    ],
    discount_codes: [{ code: 'WELCOME10', name: '10 % off', kind: 'percent', rate_ppm: 100_000 }],
    stock_locations: [
      { id: LOCATIONS[0], code: 'main', name: 'Main warehouse', priority: 0 },
      { id: LOCATIONS[1], code: 'reserve', name: 'Reserve stock', priority: 1 },
    ],
    accounts: [
      { id: staffId, kind: 'staff', email: staff.email, password_hash: staffHash },
      { id: customerId, kind: 'customer', email: customer.email, password_hash: customerHash },
    ],
    account_roles: [{ account_id: staffId, role_id: OWNER_ROLE_ID }],
    customers: [{ id: customerId, first_name: 'Bailey', last_name: 'Buyer' }],
  };
}

function market(options: {
  id: string;
  code: string;
  name: string;
  currency: string;
  countries: string[];
  isDefault: boolean;
}) {
  const { id, code, name, currency, countries, isDefault } = options;
  // European price tags hold the tax, American ones do not.
  return {
    id,
    code,
    name,
    currency,
    countries,
    tax_inclusive: currency === 'EUR',
    manual_payments: true,
    is_default: isDefault,
  };
}

/** `amount` in minor units of the market's currency. */
function shipping(
  market_id: string,
  code: string,
  name: string,
  amount: number,
  countries: string[],
  position: number,
) {
  return { id: demoId(`shipping ${code}`), market_id, code, name, countries, amount, position };
}
