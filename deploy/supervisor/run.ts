import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCACertificates } from 'node:tls';
import { ConfigError } from '../../src/platform/config.ts';
import { loadAssets } from './assets.ts';
import { createForwarder, type Forwarder } from './forward.ts';
import { FIGURES, readTls, startFront, type Front, type TlsFiles } from './front.ts';
import { trustedBy } from './headers.ts';
import { createLog, lineFrom, lineOf, type Log } from './log.ts';
import { openLogSink, type LogSink } from './log-sink.ts';
import { readSettings, shapeOf, type Settings } from './settings.ts';
import { lockFolder } from './state-lock.ts';
import { startWorkerd, type Workerd } from './workerd.ts';

/** As the guide's logrotate line calls this process: killall -SIGUSR1 ecommerce-api */
const PROCESS_NAME = 'ecommerce-api';
/** For the last flush to be taken in. */
const FLUSH_SLACK_MS = 500;

/** Runs one replica until SIGTERM or SIGINT. What keeps it from starting is one line on stderr and exit code 1. */
export async function run(environment: NodeJS.ProcessEnv, args: string[]): Promise<void> {
  process.title = PROCESS_NAME;
  const stopping = Promise.withResolvers<void>();
  // Kept for good: a second signal must not cut the first one's drain short.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopping.resolve());
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const settings = readSettings(environment, args);
    const replica = startReplica(settings, ends);
    await Promise.race([replica, stopping.promise]);
    await stopping.promise;
    await drain(await replica, settings);
  } catch (error) {
    const faults = error instanceof ConfigError ? error.faults : [explain(error)];
    process.stderr.write(`${lineOf(shapeOf(environment), 'fatal', 'cannot start', { faults })}\n`);
    process.exitCode = 1;
  }
  for (const end of ends.reverse()) await end();
  process.exit();
}

interface Replica {
  sink: LogSink;
  log: Log;
  workerd: Workerd;
  forwarder: Forwarder;
  front: Front;
}

/** Adds the end of each part to `ends` as soon as there is one. */
async function startReplica(settings: Settings, ends: (() => Promise<unknown>)[]): Promise<Replica> {
  const { host, shape } = settings;
  const sink = await openLogSink(host.LOG_OUTPUT, (lines) => lineOf(shape, 'error', 'log lines lost', { lines }));
  ends.push(() => sink.end());
  const log = createLog(shape, sink);
  process.on('SIGUSR1', () => void sink.reopen().catch((error: unknown) => sayFault(log, 'log not reopened', error)));
  const assets = await loadAssets(settings.assetsDir);
  const tls = tlsFiles(settings);
  // Before the Worker runs: a certificate that is not good has changed nothing then.
  if (tls !== null) await readTls(tls);
  const workerd = await startWorker(settings, sink, log, ends);
  const forwarder = createForwarder({ workerd, log, writeTimeoutMs: FIGURES.writeTimeoutMs });
  ends.push(() => Promise.resolve(forwarder.close()));
  const isTrusted = trustedBy(host.TRUSTED_PROXIES);
  const front = await startFront({ port: host.PORT, tls, isTrusted, assets, forwarder });
  process.on(
    'SIGHUP',
    () => void front.reloadTls().catch((error: unknown) => sayFault(log, 'certificate kept', error)),
  );
  log.say('info', 'listening', { port: front.port, tls: tls !== null });
  return { sink, log, workerd, forwarder, front };
}

async function startWorker(
  settings: Settings,
  sink: LogSink,
  log: Log,
  ends: (() => Promise<unknown>)[],
): Promise<Workerd> {
  const objectsDir = path.join(path.resolve(settings.host.STATE_DIR), 'objects');
  await mkdir(objectsDir, { recursive: true, mode: 0o700 });
  await lockFolder(objectsDir);
  const runDir = await mkdtemp(path.join(tmpdir(), 'ecommerce-api-'));
  ends.push(() => rm(runDir, { recursive: true, force: true }));
  const names = Object.keys(settings.bindings);
  const workerd = await startWorkerd({
    program: settings.workerd,
    runDir,
    plan: { bundleDir: settings.bundleDir, objectsDir, bindings: names, authorities: getCACertificates('default') },
    environment: settings.bindings,
    onLine: (said) => sink.write(lineFrom(settings.shape, said)),
    log,
  });
  ends.push(() => workerd.stop());
  return workerd;
}

function tlsFiles({ host }: Settings): TlsFiles | null {
  const { TLS_ENABLED, TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = host;
  return TLS_ENABLED && cert !== undefined && key !== undefined ? { cert, key } : null;
}

/** Requests end first, then what they left for later, then the Worker. */
async function drain({ front, log }: Replica, { host, flushSeconds }: Settings): Promise<void> {
  const deadline = performance.now() + host.DRAIN_SECONDS * 1000;
  const leftMs = () => Math.max(0, deadline - performance.now());
  log.say('info', 'draining');
  front.drain();
  const cut = await front.close(leftMs());
  const flushed = front.lastEndedAtMs() === 0 ? 0 : front.lastEndedAtMs() + flushSeconds * 1000 + FLUSH_SLACK_MS;
  await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs(), Math.max(0, flushed - performance.now()))));
  if (cut > 0) process.exitCode = 1;
  log.say(cut > 0 ? 'warn' : 'info', 'drained', { in_flight: cut });
}

function sayFault(log: Log, msg: string, error: unknown): void {
  log.say('error', msg, { cause: explain(error) });
}

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
