// What a deployment uploads and what its start costs: npm run bench:bundle
import path from 'node:path';
import { measureStartup } from './startup.ts';
import { table } from './table.ts';
import { buildWorkerBundle } from './worker-bundle.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const ENVIRONMENT = 'production';
const PACKAGES_SHOWN = 15;
const RUNS = 7;

const kib = (bytes: number) => (bytes / 1024).toFixed(1);

const bundle = await buildWorkerBundle(ROOT, ENVIRONMENT);
console.log(
  table([`Worker (${ENVIRONMENT})`, 'KiB', 'gzip KiB'], [['all modules', kib(bundle.rawBytes), kib(bundle.gzipBytes)]]),
);

const emitted = bundle.packages.reduce((all, { bytes }) => all + bytes, 0);
const rows = bundle.packages
  .slice(0, PACKAGES_SHOWN)
  .map(({ name, bytes }) => [name, kib(bytes), `${((100 * bytes) / emitted).toFixed(1)} %`]);
console.log(`\n${table(['largest parts', 'KiB', 'share'], rows)}`);

const { workerMs, referenceMs } = await measureStartup(ROOT, ENVIRONMENT, RUNS);
console.log(
  `\n${table(
    ['start-up CPU under workerd', 'ms', 'ratio'],
    [
      ['Hono with one route', referenceMs.toFixed(1), '1.0'],
      ['Worker', workerMs.toFixed(1), (workerMs / referenceMs).toFixed(1)],
    ],
  )}\n(medians of ${RUNS} starts each, in turn)`,
);
