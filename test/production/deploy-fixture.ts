import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { migrateUp } from '../../dev/migrate.ts';
import { emptyDatabase } from '../migrations/database.ts';
import { FRESH, OLD, startDeployment, TOKEN, type LiveDeployment } from './deploy-server.ts';

export const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'deploy/cloudflare/main.ts');
export const EXPAND = '20260101000000_create_apples';

/**
 * Stands in for wrangler and npm on PATH: writes down each command line, does to the deployment what wrangler would, and
 * ends as `script.json` says for the first key that the command line starts with.
 */
const PROGRAM = `#!/usr/bin/env node
const fs = require('fs'), path = require('path');
const home = path.join(__dirname, '..');
const [name, args] = [path.basename(__filename), process.argv.slice(2)];
const line = [name, ...args].join(' ');
fs.appendFileSync(path.join(home, 'calls'), line + '\\n');
const script = JSON.parse(fs.readFileSync(path.join(home, 'script.json'), 'utf8'));
const key = Object.keys(script).find((start) => line.startsWith(start));
const entry = (value) => fs.appendFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, JSON.stringify(value) + '\\n');
const stateFile = path.join(home, 'state.json');
const save = (state) => fs.writeFileSync(stateFile, JSON.stringify(state));
function work() {
  const outcome = key === undefined ? {} : script[key];
  if (outcome.once) delete script[key];
  fs.writeFileSync(path.join(home, 'script.json'), JSON.stringify(script));
  if (outcome.exit) return process.stderr.write(outcome.says ?? 'refused'), (process.exitCode = outcome.exit);
  const variables = Object.fromEntries(args.flatMap((arg, i) => (args[i - 1] === '--var' ? [arg.split(/:(.*)/s).slice(0, 2)] : [])));
  const state = fs.existsSync(stateFile) ? JSON.parse(fs.readFileSync(stateFile, 'utf8')) : { versions: [], variables: {} };
  if (line.startsWith('wrangler deployments status')) process.stdout.write(JSON.stringify({ versions: state.versions }));
  if (line.startsWith('wrangler versions upload')) {
    save({ ...state, variables });
    entry({ type: 'version-upload', version: 1, version_id: '${FRESH}', worker_name: 'edge-commerce' });
  }
  if (line.startsWith('wrangler deploy ')) {
    save({ versions: [{ version_id: '${FRESH}', percentage: 100 }], variables });
    entry({ type: 'deploy', version: 1, version_id: '${FRESH}', worker_name: 'edge-commerce' });
  }
  if (line.startsWith('wrangler versions deploy')) {
    const specs = args.filter((arg) => arg.includes('@'));
    save({ ...state, versions: specs.map((spec) => ({ version_id: spec.split('@')[0], percentage: parseFloat(spec.split('@')[1]) })) });
  }
  if (line.startsWith('wrangler rollback')) save({ ...state, versions: [{ version_id: args[1], percentage: 100 }] });
}
const slow = key !== undefined ? script[key].delayMs : undefined;
slow === undefined ? work() : setTimeout(work, slow);
`;

/** How a stand-in ends; `once`: only the first time. */
interface Outcome {
  exit?: number;
  says?: string;
  once?: boolean;
  delayMs?: number;
}

export interface Shop {
  live: LiveDeployment;
  databaseUrl: string;
  folder: string;
  /** What the deployment answers by. */
  stateFile: string;
  /** Command lines of wrangler and npm so far. */
  calls(): string[];
  script(outcomes: Record<string, Outcome>): void;
  /** What serves: percent by version. */
  traffic(): Record<string, number>;
  setTraffic(percents: Record<string, number>): void;
  commit(files: Record<string, string>): void;
  git(...args: string[]): string;
  /** Starts the deployment; `whileRunning` sees its process id. */
  deploy(args?: string[], whileRunning?: WhileRunning, env?: Record<string, string>): Promise<Run>;
}

type WhileRunning = (pid: number, output: () => string) => Promise<void>;

export interface Run {
  code: number;
  output: string;
}

/** A project of its own with one release, which serves; everything goes when the test is over. */
export async function releasedShop({ isFirst = false, stands = ['wrangler', 'npm'] } = {}): Promise<Shop> {
  const home = mkdtempSync(join(tmpdir(), 'edge-commerce-deploy-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const [folder, stateFile] = [join(home, 'project'), join(home, 'state.json')];
  for (const name of ['bin', 'project/migrations']) mkdirSync(join(home, name), { recursive: true });
  for (const name of stands) {
    writeFileSync(join(home, 'bin', name), PROGRAM);
    chmodSync(join(home, 'bin', name), 0o755);
  }
  writeFileSync(join(home, 'calls'), '');
  const state = { versions: [{ version_id: OLD, percentage: 100 }], variables: {} };
  if (!isFirst) writeFileSync(stateFile, JSON.stringify(state));
  const live = await startDeployment(stateFile);
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  const shop: Shop = {
    live,
    folder,
    stateFile,
    databaseUrl: await emptyDatabase(),
    git,
    calls: () => readFileSync(join(home, 'calls'), 'utf8').split('\n').filter(Boolean),
    script: (outcomes) => writeFileSync(join(home, 'script.json'), JSON.stringify(outcomes)),
    traffic: () => {
      const { versions } = JSON.parse(readFileSync(stateFile, 'utf8')) as typeof state;
      return Object.fromEntries(versions.map(({ version_id, percentage }) => [version_id, percentage]));
    },
    setTraffic: (percents) => {
      const versions = Object.entries(percents).map(([version_id, percentage]) => ({ version_id, percentage }));
      writeFileSync(stateFile, JSON.stringify({ ...state, versions }));
    },
    commit: (files) => {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      git('add', '.');
      git('commit', '--quiet', '--message', 'Change');
    },
    deploy: (args = [], whileRunning = async () => undefined, env = {}) => runMain(home, shop, args, whileRunning, env),
  };
  shop.script(isFirst ? { 'wrangler deployments status': { exit: 1, says: 'has no deployments' } } : {});
  git('init', '--quiet');
  git('config', 'user.email', 'shop@example.test');
  git('config', 'user.name', 'Shop');
  shop.commit({
    'package.json': '{"version":"1.4.0"}',
    [`migrations/${EXPAND}.sql`]: 'create table apples (id int primary key, name text, color text);\n',
    [`migrations/${EXPAND}.down.sql`]: 'drop table apples;\n',
  });
  if (!isFirst) {
    git('tag', 'release/production');
    await migrateUp(shop.databaseUrl, join(folder, 'migrations'));
  }
  return shop;
}

async function runMain(
  home: string,
  shop: Shop,
  args: string[],
  whileRunning: WhileRunning,
  extra: Record<string, string>,
): Promise<Run> {
  const usual = ['--env', 'production', '--url', shop.live.url, '--pause', '0', '--settle', '1', '--yes'];
  const child = spawn(process.execPath, [MAIN, ...usual, ...args], {
    cwd: join(home, 'project'),
    env: {
      PATH: [join(home, 'bin'), process.env['PATH']].join(delimiter),
      HOME: home,
      METRICS_TOKEN: TOKEN,
      MIGRATION_DATABASE_URL: shop.databaseUrl,
      ...extra,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)));
  await whileRunning(child.pid!, () => output);
  return { code: await ended, output };
}
