import path from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError, parseConfig } from '../../src/platform/config.ts';
import { bindings, parseHost, type Host } from '../../src/platform/config/variables.ts';
import type { LogShape } from './log.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

export interface Settings {
  host: Host;
  shape: LogShape;
  /** The Worker's bindings that are set, as its environment. */
  bindings: Record<string, string>;
  /** Seconds within which an isolate sends what it counted. */
  flushSeconds: number;
  bundleDir: string;
  assetsDir: string;
  /** Path of the workerd program. */
  workerd: string;
}

type Environment = Record<string, string | undefined>;

/** In the form the environment asks for, as far as that can be read: for the line that says what is wrong with it. */
export function shapeOf(environment: Environment): LogShape {
  const format = environment['LOG_FORMAT'] === 'console' ? 'console' : 'json';
  return { LOG_FORMAT: format, SERVICE_NAME: environment['SERVICE_NAME'] || 'ecommerce-api' };
}

/** What it is to do; throws ConfigError naming all that is wrong with the variables and flags. */
export function readSettings(environment: Environment, args: string[]): Settings {
  const faults: string[] = [];
  const attempt = <Value>(read: () => Value): Value | null => {
    try {
      return read();
    } catch (error) {
      faults.push(...(error instanceof ConfigError ? error.faults : [String(error)]));
      return null;
    }
  };
  const flags = attempt(() => readFlags(args));
  const host = attempt(() => parseHost(environment));
  // The address is what this process says it is, so the Worker is told to read it there.
  const worker = { ...environment, TRUSTED_IP_HEADER: 'x-real-ip' };
  const config = attempt(() => parseConfig(worker));
  const bundleDir = flags?.bundle ?? host?.BUNDLE_DIR;
  if (flags !== null && host !== null && bundleDir === undefined) faults.push('BUNDLE_DIR or --bundle is missing');
  if (flags === null || host === null || config === null || bundleDir === undefined) {
    throw new ConfigError([...new Set(faults)]);
  }
  return {
    host,
    shape: config,
    bindings: setBindings(worker),
    flushSeconds: config.METRICS_FLUSH_SECONDS,
    bundleDir: path.resolve(bundleDir),
    assetsDir: path.resolve(flags.assets ?? path.join(ROOT, 'dist/assets')),
    workerd: path.resolve(flags.workerd ?? path.join(ROOT, 'node_modules/workerd/bin/workerd')),
  };
}

function readFlags(args: string[]): { bundle?: string; assets?: string; workerd?: string } {
  const text = { type: 'string' } as const;
  return parseArgs({ args, options: { bundle: text, assets: text, workerd: text } }).values;
}

function setBindings(environment: Environment): Record<string, string> {
  const pairs = Object.keys(bindings.shape).flatMap((name) => {
    const value = environment[name];
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  return Object.fromEntries(pairs);
}
