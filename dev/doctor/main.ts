// Whether a deployment is fit for its purpose: npm run doctor -- --env production [--url https://...] [--env-file FILE]
import { parseArgs } from 'node:util';
import { examine } from './check.ts';
import { CHECKS } from './checks.ts';
import { ENVIRONMENTS, readDeployment, type Sources } from './deployment.ts';
import { report } from './report.ts';

const USAGE = `npm run doctor -- --env production|staging|dev
  --url https://...         looks at what is deployed there
  --env-file FILE           values of secrets and variables, NAME=value
  --prometheus https://...  looks for its targets and rules
  --grafana https://...     looks for the dashboards (GRAFANA_TOKEN)
  --json                    findings as JSON
CLOUDFLARE_API_TOKEN in the environment: asks Cloudflare for the names of the secrets. What is neither in wrangler.toml nor
among them is then not set, whatever the file says. Without it (self-hosted) the file wins over wrangler.toml.
Backups are looked at where BACKUP_DIR is (/var/backups/ecommerce) or with NEON_API_KEY, NEON_PROJECT_ID, NEON_BRANCH_ID.`;

function readArguments(): { sources: Sources; isJson: boolean } | null {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { env: text, url: text, 'env-file': text, prometheus: text, grafana: text, json: { type: 'boolean' } },
  });
  const environment = ENVIRONMENTS.find((name) => name === values.env);
  if (environment === undefined) return null;
  const sources = {
    environment,
    process: process.env,
    envFile: values['env-file'] ?? null,
    url: values.url ?? null,
    prometheusUrl: values.prometheus ?? null,
    grafanaUrl: values.grafana ?? null,
  };
  return { sources, isJson: values.json ?? false };
}

/** 0: no fault, 1: faults, 2: it could not be asked. */
async function main(): Promise<number> {
  const given = readArguments();
  if (given === null) {
    console.error(USAGE);
    return 2;
  }
  const deployment = await readDeployment(given.sources);
  const isTerminal = process.stderr.isTTY;
  const findings = await examine(CHECKS, deployment, ({ title }) => {
    if (isTerminal && !given.isJson) process.stderr.write(`\r\u001b[K${title} ...`);
  });
  if (isTerminal && !given.isJson) process.stderr.write('\r\u001b[K');
  if (given.isJson) console.log(JSON.stringify(findings, null, 2));
  else console.log(report(findings, process.stdout.isTTY));
  return findings.some(({ result }) => result === 'fail') ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
