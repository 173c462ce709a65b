import { DEMO_LOGINS } from './seed/shop.ts';
import type { DevStack } from './stack.ts';

/** What to open, who to log in as, and three commands to try. */
export function banner({ url, ownerUrl, providerUrl }: DevStack): string {
  const { staff, customer } = DEMO_LOGINS;
  const api = `${url}/api/v1`;
  const json = `-H 'content-type: application/json'`;
  const login = JSON.stringify({ email: customer.email, password: customer.password });
  return [
    '',
    `  Shop      ${api}`,
    `  Docs      ${url}/docs`,
    `  Health    ${url}/health/ready`,
    `  Metrics   ${url}/metrics   (bearer demo-metrics-token)`,
    ...(providerUrl === undefined ? [] : [`  Payments  ${providerUrl}   (test provider: tok_ok, tok_declined, ...)`]),
    ...(ownerUrl === undefined ? [] : [`  Database  ${ownerUrl}`]),
    '',
    `  Staff     ${staff.email} / ${staff.password}`,
    `  Customer  ${customer.email} / ${customer.password}`,
    '',
    '  Try:',
    `    curl '${api}/products?limit=3'`,
    `    curl -X POST ${api}/carts ${json} -d '{}'`,
    `    curl -X POST ${api}/auth/login ${json} -d '${login}'`,
    '',
    '  Ctrl-C stops everything; the data stays for the next start.',
    '',
  ].join('\n');
}
