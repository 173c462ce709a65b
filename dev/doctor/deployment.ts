import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { unstable_readConfig } from 'wrangler';
import * as z from 'zod';
import { bindings } from '../../src/platform/config/variables.ts';

export const ENVIRONMENTS = ['dev', 'staging', 'production'] as const;
export type EnvironmentName = (typeof ENVIRONMENTS)[number];

/** All that is known of a deployment before it is looked at. */
export interface Deployment {
  environment: EnvironmentName;
  /** As `told` has them. Blank ones are left out. */
  values: Readonly<Record<string, string>>;
  /** Names in wrangler.toml, which only the Worker can read. */
  vars: readonly string[];
  /** Names in the file, which may be for other programs, too. */
  inFile: readonly string[];
  /** Names of the secrets that Cloudflare holds; null when it was not asked. */
  secrets: readonly string[] | null;
  crons: readonly string[];
  /** Whether Workers Logs keep the lines. */
  keepsLogs: boolean;
  /** Of the live deployment, without a slash at the end. */
  url: string | null;
  prometheusUrl: string | null;
  grafanaUrl: string | null;
  now: () => Date;
  /** How long a fresh deployment may take to its first tick. */
  patienceMs: number;
}

export interface Sources {
  environment: EnvironmentName;
  process: Readonly<Record<string, string | undefined>>;
  envFile: string | null;
  url: string | null;
  prometheusUrl: string | null;
  grafanaUrl: string | null;
}

/** A cron a minute, and time for it to start. */
const PATIENCE_MS = 90_000;
const ROOT = join(import.meta.dirname, '../..');
const NO_WORKER = /Worker "[^"]+"(?: \(env: \S+\))? not found/;
const Secrets = z.array(z.object({ name: z.string() }));

/** As `wrangler secret list` names them, when an account is at hand. Throws when Cloudflare refuses. */
async function secretNames({ environment, process: env }: Sources): Promise<string[] | null> {
  if ((env['CLOUDFLARE_API_TOKEN'] ?? '') === '') return null;
  // Behind whatever is on the path already.
  const path = [env['PATH'], join(ROOT, 'node_modules/.bin')].join(delimiter);
  const args = ['secret', 'list', '--env', environment, '--format', 'json'];
  try {
    const { stdout } = await promisify(execFile)('wrangler', args, { cwd: ROOT, env: { ...env, PATH: path } });
    return Secrets.parse(JSON.parse(stdout)).map(({ name }) => name);
  } catch (error) {
    // Before the first deployment there is no Worker to have secrets.
    if (error instanceof Error && NO_WORKER.test(error.message)) return [];
    throw new Error(`wrangler ${args.join(' ')} failed: see CLOUDFLARE_API_TOKEN and its account`, { cause: error });
  }
}

const Vars = z.record(z.string(), z.unknown());

/** Said anew by each deployment, so no place keeps them. */
const OF_A_DEPLOYMENT = ['SERVICE_VERSION', 'BUILD_TIME'];
type Given = Readonly<Record<string, unknown>>;

/**
 * What the deployment is told. Where Cloudflare named its secrets, the Worker sees wrangler.toml and these alone: a value of
 * a secret may be given beside them, anything else of the Worker's counts for nothing. Without (self-hosted, or not asked)
 * the file wins over wrangler.toml, and that over this process' environment.
 */
function told(vars: Given, process: Given, file: Given, secrets: readonly string[] | null): Given {
  if (secrets === null) return { ...process, ...vars, ...file };
  const seen = new Set([...secrets, ...OF_A_DEPLOYMENT]);
  const given = Object.entries({ ...process, ...file });
  return {
    ...Object.fromEntries(given.filter(([name]) => !Object.hasOwn(bindings.shape, name) || seen.has(name))),
    ...vars,
  };
}

/** Reads wrangler.toml, the environment, the file and the names of secrets. */
export async function readDeployment(sources: Sources): Promise<Deployment> {
  const { environment, envFile, url, prometheusUrl, grafanaUrl } = sources;
  const config = unstable_readConfig({ config: join(ROOT, 'wrangler.toml'), env: environment }, { hideWarnings: true });
  const vars = Vars.parse(config.vars);
  const file = envFile === null ? {} : parseEnv(readFileSync(envFile, 'utf8'));
  const secrets = await secretNames(sources);
  const values = Object.entries(told(vars, sources.process, file, secrets)).flatMap(([name, value]) =>
    value === undefined || value === ''
      ? []
      : [[name, typeof value === 'string' ? value : JSON.stringify(value)] as const],
  );
  return {
    environment,
    values: Object.fromEntries(values),
    vars: Object.keys(vars),
    inFile: Object.keys(file),
    secrets,
    crons: config.triggers.crons ?? [],
    keepsLogs: config.observability?.enabled === true,
    url: withoutSlash(url),
    prometheusUrl: withoutSlash(prometheusUrl),
    grafanaUrl: withoutSlash(grafanaUrl),
    now: () => new Date(),
    patienceMs: PATIENCE_MS,
  };
}

const withoutSlash = (url: string | null) => url?.replace(/\/+$/, '') ?? null;

/** Whether a value is set where it cannot be read. */
export function isSetUnseen({ values, secrets }: Deployment, name: string): boolean {
  return values[name] === undefined && secrets?.includes(name) === true;
}
