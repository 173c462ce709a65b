import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

export const OBSERVABILITY = join(import.meta.dirname, '../../observability');

/** Whether the programs are installed; says which one a test is skipped for. With REQUIRE_PROGRAMS=1 none is skipped. */
export function installed(...programs: string[]): boolean {
  const missing = programs.filter((program) => spawnSync(program, ['--version']).error !== undefined);
  if (missing.length > 0) {
    const why = `${missing.join(', ')} is not on PATH (Debian: prometheus, prometheus-alertmanager)`;
    if (process.env['REQUIRE_PROGRAMS'] === '1') throw new Error(why);
    console.warn(`Skipped: ${why}`);
  }
  return missing.length === 0;
}

/** Output of a program, or an error with all that it said. */
export function run(program: string, args: string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', input, timeout: 120_000 });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`);
  return stdout;
}

export interface Program {
  url: string;
  /** Its folder, also its configuration's. */
  folder: string;
  stop(): Promise<void>;
}

export interface PrometheusSetup {
  /** host:port of what stands for the shop. */
  shop: string;
  token: string;
  /** host:port */
  alertmanager?: string;
  /** Seconds between scrapes and evaluations, whatever the committed files say. */
  everyS: number;
  /** Waits and windows of the rules are cut to this, so that a rehearsal is short: 5m becomes 5s with 1/60. */
  shorten?: (duration: string) => string;
}

interface Config {
  global: Record<string, string>;
  scrape_configs: {
    job_name: string;
    scheme?: string;
    scrape_interval?: string;
    scrape_timeout?: string;
    static_configs: { targets: string[] }[];
  }[];
  alerting: { alertmanagers: { static_configs: { targets: string[] }[] }[] };
}

interface Rules {
  groups: { interval: string; rules: { expr: string; for?: string }[] }[];
}

/**
 * Debian's prometheus on loopback with the committed configuration and rules, of which only addresses, scheme and intervals
 * are changed. Ready when it resolves.
 */
export async function startPrometheus(setup: PrometheusSetup): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  const address = `127.0.0.1:${await freePort()}`;
  const config = parse(readFileSync(join(OBSERVABILITY, 'prometheus.yml'), 'utf8')) as Config;
  const every = `${setup.everyS}s`;
  config.global['scrape_interval'] = config.global['evaluation_interval'] = every;
  const targets: Record<string, string> = { 'ecommerce-api': setup.shop, prometheus: address };
  config.scrape_configs = config.scrape_configs.filter(({ job_name }) => job_name in targets);
  for (const job of config.scrape_configs) {
    job.static_configs = [{ targets: [targets[job.job_name]!] }];
    job.scheme = 'http';
    job.scrape_interval = job.scrape_timeout = every;
  }
  const alertmanagers = setup.alertmanager === undefined ? [] : [setup.alertmanager];
  config.alerting.alertmanagers = [{ static_configs: [{ targets: alertmanagers }] }];
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
  writeFileSync(join(folder, 'metrics-token'), setup.token, { mode: 0o600 });
  copyRules(folder, every, setup.shorten);
  const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
  return start('prometheus', [...args, `--web.listen-address=${address}`, '--web.enable-remote-write-receiver'], {
    address,
    folder,
    ready: '/-/ready',
  });
}

function copyRules(folder: string, every: string, shorten?: (duration: string) => string): void {
  cpSync(join(OBSERVABILITY, 'rules'), join(folder, 'rules'), { recursive: true });
  for (const name of readdirSync(join(folder, 'rules'))) {
    const file = join(folder, 'rules', name);
    const { groups } = parse(readFileSync(file, 'utf8')) as Rules;
    for (const group of groups) {
      group.interval = every;
      if (shorten === undefined) continue;
      for (const rule of group.rules) {
        if (rule.for !== undefined) rule.for = shorten(rule.for);
        rule.expr = rule.expr.replace(/\[(\w+)\]/g, (_, window: string) => `[${shorten(window)}]`);
      }
    }
    writeFileSync(file, stringify({ groups }));
  }
}

/** Debian's Alertmanager on loopback with the committed routes, each receiver a webhook at `receiverUrl`/<name>. */
export async function startAlertmanager(receiverUrl: string): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'alertmanager-'));
  const config = parse(readFileSync(join(OBSERVABILITY, 'alertmanager.yml'), 'utf8')) as {
    route: { group_wait: string; routes: { group_wait?: string }[] };
    receivers: { name: string; webhook_configs: { url: string }[] }[];
  };
  for (const route of [config.route, ...config.route.routes]) route.group_wait = '1s';
  for (const receiver of config.receivers) {
    for (const webhook of receiver.webhook_configs) webhook.url = `${receiverUrl}/${receiver.name}`;
  }
  writeFileSync(join(folder, 'alertmanager.yml'), stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const args = [
    `--config.file=${folder}/alertmanager.yml`,
    `--storage.path=${folder}/data`,
    '--cluster.listen-address=',
  ];
  return start('prometheus-alertmanager', [...args, `--web.listen-address=${address}`], {
    address,
    folder,
    ready: '/-/ready',
  });
}

async function start(
  program: string,
  args: string[],
  { address, folder, ready }: { address: string; folder: string; ready: string },
): Promise<Program> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://${address}`;
  const deadline = Date.now() + 30_000;
  while (!(await answers(`${url}${ready}`))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`${program} did not come up\n${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { url, folder, stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

/** These programs cannot tell which port they took, so one is chosen for them. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until it gives a value; throws after `timeoutMs`. */
export async function until<Value>(
  what: string,
  timeoutMs: number,
  look: () => Value | undefined | Promise<Value | undefined>,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
