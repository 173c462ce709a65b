import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';

export interface Options {
  /** A section of wrangler.toml. */
  env: string;
  /** Of the live deployment, without a slash at its end. */
  url: string;
  /** Git ref of what runs there now. */
  previous: string;
  /** Percent of the traffic, growing to 100. */
  stages: readonly number[];
  /** Seconds that each stage is watched for. */
  pauseS: number;
  /** Seconds that a deployment may take to be known everywhere. */
  settleS: number;
  /** Fraction of the new version's requests that may fail with a 5xx beyond what failed before. */
  threshold: number;
  /** Nothing serves there yet, whatever Cloudflare keeps: setting secrets makes an empty Worker. */
  first: boolean;
  dryRun: boolean;
  yes: boolean;
  /** Read into the environment, and by the doctor. */
  envFile: string | undefined;
}

const USAGE = `Usage: npm run deploy -- --env production --url https://api.example.com [options]
  --env NAME         staging or production
  --url URL          where the deployment answers; DEPLOY_URL otherwise
  --stages LIST      percent of the traffic, one after the other (10,50,100)
  --pause SECONDS    that each stage is watched for (120)
  --settle SECONDS   that a new deployment may take to be known everywhere (60)
  --threshold N      fraction of failed requests that is too much (0.01)
  --previous REF     what runs there now (the tag release/<env>)
  --env-file FILE    METRICS_TOKEN, MIGRATION_DATABASE_URL, CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID
  --first            nothing serves there yet (secrets that are set first make an empty Worker)
  --dry-run          print the command lines and stop
  --yes              do not ask`;

const PAUSE_MAX_S = 3_600;

/** Throws one Error that names what is wrong and the usage. */
export function readOptions(args: string[], environment: Record<string, string | undefined>): Options {
  const { values } = parseArgs({
    args,
    options: {
      env: { type: 'string', default: '' },
      url: { type: 'string', default: environment['DEPLOY_URL'] ?? '' },
      previous: { type: 'string' },
      stages: { type: 'string', default: '10,50,100' },
      pause: { type: 'string', default: '120' },
      settle: { type: 'string', default: '60' },
      threshold: { type: 'string', default: '0.01' },
      'env-file': { type: 'string' },
      first: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
    },
  });
  const options: Options = {
    env: values.env,
    url: values.url.replace(/\/+$/, ''),
    previous: values.previous ?? `release/${values.env}`,
    stages: values.stages.split(',').map(Number),
    pauseS: Number(values.pause),
    settleS: Number(values.settle),
    threshold: Number(values.threshold),
    first: values.first,
    dryRun: values['dry-run'],
    yes: values.yes,
    envFile: values['env-file'],
  };
  const faults = faultsOf(options);
  if (faults.length > 0) throw new Error(`${faults.join('\n')}\n\n${USAGE}`);
  return options;
}

function faultsOf({ env, url, stages, pauseS, settleS, threshold, envFile }: Options): string[] {
  const faults: string[] = [];
  if (env !== 'staging' && env !== 'production') faults.push('--env must be staging or production.');
  if (!isDeploymentUrl(url)) faults.push('--url must be https://host (http only on this machine).');
  const grows = stages.every((stage, index) => stage > (stages[index - 1] ?? 0));
  if (!grows || stages.at(-1) !== 100) faults.push('--stages must grow and end in 100.');
  if (!(pauseS >= 0 && pauseS <= PAUSE_MAX_S)) faults.push(`--pause must be 0 to ${PAUSE_MAX_S} seconds.`);
  if (!(settleS >= 0 && settleS <= PAUSE_MAX_S)) faults.push(`--settle must be 0 to ${PAUSE_MAX_S} seconds.`);
  if (!(threshold > 0 && threshold < 1)) faults.push('--threshold must be between 0 and 1.');
  if (envFile !== undefined && !existsSync(envFile)) faults.push(`--env-file ${envFile} is not there.`);
  return faults;
}

function isDeploymentUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.origin !== text) return false;
  return url.protocol === 'https:' || ['localhost', '127.0.0.1'].includes(url.hostname);
}
