// Whether counts stay exact while acknowledgements get lost and the object's process is killed: npm run bench:metrics
// Needs Linux, where the process to kill is found in /proc. Exits with 1 when a count differs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Presets, SingleBar } from 'cli-progress';
import { startIsolates } from './metrics-isolates.ts';
import { type LoadResult, runLoad } from './metrics-load.ts';
import { table } from './table.ts';
import { wrangler } from './wrangler.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const REQUESTS = 50_000;
/** Slower than the isolates could, so that a load goes on through every outage. */
const SECONDS = 24;
const SCENARIOS = [
  { name: 'half of the acknowledgements lost', isLossy: true, kills: 0 },
  { name: 'the process killed three times', isLossy: false, kills: 3 },
  { name: 'both', isLossy: true, kills: 3 },
];
const COLUMNS = ['sent', 'counted', 'flushes', 'duplicates', 'kills', 'seconds'] as const;

const folder = await mkdtemp(path.join(tmpdir(), 'bench-metrics-'));
const bar = new SingleBar(
  { format: '{bar} {value}/{total} requests, {name}', hideCursor: true, clearOnComplete: true },
  Presets.shades_grey,
);
try {
  const workerDir = path.join(folder, 'worker');
  await wrangler(ROOT, ['deploy', '--dry-run', '--env', 'dev', '--outdir', workerDir]);
  bar.start(REQUESTS * SCENARIOS.length, 0, { name: '' });
  const rows: string[][] = [];
  for (const [index, { name, isLossy, kills }] of SCENARIOS.entries()) {
    const shop = await startIsolates({ workerDir, folder: path.join(folder, String(index)), isLossy });
    try {
      const onSent = (sent: number) => bar.update(index * REQUESTS + sent, { name });
      const result = await runLoad(shop, { requests: REQUESTS, seconds: SECONDS, kills, onSent });
      rows.push([name, ...COLUMNS.map((column) => String(Math.round(result[column])))]);
      if (!isExact(result)) process.exitCode = 1;
    } finally {
      await shop.stop();
    }
  }
  bar.stop();
  console.log(table(['', ...COLUMNS], rows));
  console.log(`four isolates, 64 requests at once; ${process.exitCode === 1 ? 'NOT EXACT' : 'exact'}`);
} finally {
  bar.stop();
  await rm(folder, { recursive: true });
}

function isExact({ sent, counted, observed, wentBack }: LoadResult): boolean {
  return sent === REQUESTS && counted === sent && observed === sent && wentBack === 0;
}
