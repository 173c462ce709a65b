import { ConfigError } from '../../src/platform/config.ts';
import { parseHost } from '../../src/platform/config/variables.ts';
import type { Host } from '../../src/platform/config/variables.ts';

export type Log = (level: 'info' | 'warn' | 'fatal', msg: string, fields?: object) => void;

interface Endpoint {
  port: number;
  /** Answers what has come, `withinMs` at most, before it closes. */
  drain(withinMs: number): Promise<void>;
}

/**
 * Runs one endpoint as a process: one JSON line says on which port it listens, SIGTERM and SIGINT end it once everything
 * that has come is answered or DRAIN_SECONDS are over. Faulty variables are named on one line, and end it with 1.
 */
export async function runService(name: string, start: (host: Host, log: Log) => Promise<Endpoint>): Promise<void> {
  // Whoever read the lines is gone: that is no reason to stop answering.
  process.stdout.on('error', () => undefined);
  const log: Log = (level, msg, fields = {}) => {
    const line = { level, timestamp: new Date().toISOString(), service: name, ...fields, msg };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  try {
    const host = parseHost(process.env);
    const endpoint = await start(host, log);
    log('info', 'listening', { port: endpoint.port });
    const signal = await new Promise<string>((resolve) => {
      for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name));
    });
    log('info', 'draining', { signal });
    await endpoint.drain(host.DRAIN_SECONDS * 1_000);
    log('info', 'stopped');
  } catch (error) {
    log('fatal', error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

/** A variable that only this endpoint cannot do without. Throws ConfigError. */
export function required(value: string | undefined, variable: string): string {
  if (value === undefined || value === '') throw new ConfigError([`${variable} is missing`]);
  return value;
}
