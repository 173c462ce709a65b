import { sql, type Sql } from '../../platform/db/sql.ts';

export interface MarketRow {
  id: string;
  code: string;
  name: string;
  currency: string;
  tax_inclusive: boolean;
  countries: string[];
  manual_payments: boolean;
  is_default: boolean;
}

export const allMarkets: Sql<MarketRow> = sql<MarketRow>`
  select id, code, name, currency, tax_inclusive, countries, manual_payments, is_default
  from markets order by is_default desc, code`;

/** The market that a code or a currency names, else the default one; a fragment for use inside other statements. */
export function chosenMarketId({
  market,
  currency,
}: {
  market?: string | undefined;
  currency?: string | undefined;
}): Sql {
  return sql`(
    select id from markets
    where (${market ?? null}::text is null or code = ${market ?? null}::text)
      and (${currency ?? null}::text is null or currency = ${currency ?? null}::text)
    order by is_default desc, code limit 1)`;
}
