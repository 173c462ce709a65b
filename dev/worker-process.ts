import { join } from 'node:path';
import { unstable_startWorker } from 'wrangler';

export interface WorkerOptions {
  /** 0: any free port. */
  port: number;
  bindings: Record<string, string>;
  /** Durable Object storage is kept here. */
  stateDir: string;
}

export type WorkerReport = { url: string } | { error: string };

const ROOT = join(import.meta.dirname, '..');
const TICK_MS = 60_000;

/** wrangler's API rather than `wrangler dev`: no prompt, no update check, no telemetry. */
function startWorker({ port, bindings, stateDir }: WorkerOptions): ReturnType<typeof unstable_startWorker> {
  const vars = Object.entries(bindings).map(([name, value]) => [name, { type: 'plain_text' as const, value }]);
  return unstable_startWorker({
    config: join(ROOT, 'wrangler.toml'),
    env: 'dev',
    envFiles: [],
    bindings: Object.fromEntries(vars),
    dev: {
      server: { hostname: 'localhost', port },
      logLevel: 'error',
      watch: true,
      persist: stateDir,
      inspector: false,
      structuredLogsHandler: ({ level, message }: { level: string; message: string }) => {
        (level === 'error' || level === 'warn' ? process.stderr : process.stdout).write(`${message}\n`);
      },
    },
  });
}

async function serve(options: WorkerOptions): Promise<void> {
  const worker = await startWorker(options);
  await worker.ready;
  const url = (await worker.url).href.replace(/\/$/, '');
  // Cloudflare runs the cron trigger every minute; a local Worker has nobody who does.
  const tick = (): Promise<unknown> => fetch(`${url}/cdn-cgi/handler/scheduled`).catch(() => undefined);
  const ticker = setInterval(() => void tick(), TICK_MS);
  process.once('disconnect', () => {
    clearInterval(ticker);
    void worker.dispose().finally(() => process.exit());
  });
  report({ url });
}

function report(message: WorkerReport): void {
  process.send?.(message);
}

// Until it serves, there is nothing to end in order.
process.once('disconnect', () => setTimeout(() => process.exit(), 2_000).unref());
process.once('message', (options: WorkerOptions) => {
  serve(options).catch((error: unknown) => {
    report({ error: explain(error) });
    process.disconnect();
  });
});

/** With the causes: the outermost only says that something did not start. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\n${explain(error.cause)}`;
}
