import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { median } from './table.ts';
import { wrangler } from './wrangler.ts';

// V8's CPU profile: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile
const CpuProfile = z.object({
  nodes: z.array(z.object({ id: z.number(), callFrame: z.object({ functionName: z.string() }) })),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

const HONO = fileURLToPath(new URL('../node_modules/hono/dist/index.js', import.meta.url));

export interface Startup {
  /** Median milliseconds of CPU from loading the script to being ready for a request. */
  workerMs: number;
  /** The same of a Hono application with one route, measured in turn with the Worker. */
  referenceMs: number;
}

/** Profiles the start of the Worker in a folder and of the reference under workerd, `runs` times each in turn. */
export async function measureStartup(folder: string, environment: string, runs: number): Promise<Startup> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'worker-startup-'));
  try {
    await writeReference(scratch);
    const profile = path.join(scratch, 'startup.cpuprofile');
    const worker: number[] = [];
    const reference: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      worker.push(await activeMs(folder, ['--env', environment], profile));
      reference.push(await activeMs(scratch, [], profile));
    }
    return { workerMs: median(worker), referenceMs: median(reference) };
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function writeReference(folder: string): Promise<void> {
  const source = `import { Hono } from ${JSON.stringify(HONO)};\nexport default new Hono().get('/', (c) => c.text('ok'));\n`;
  await writeFile(path.join(folder, 'index.js'), source);
  await writeFile(
    path.join(folder, 'wrangler.toml'),
    'name = "reference"\nmain = "index.js"\ncompatibility_date = "2026-10-01"\n',
  );
}

/** The sampled time that is not idle. */
async function activeMs(folder: string, args: readonly string[], file: string): Promise<number> {
  await wrangler(folder, ['check', 'startup', ...args, '--outfile', file]);
  const { nodes, samples, timeDeltas } = CpuProfile.parse(JSON.parse(await readFile(file, 'utf8')));
  const idle = new Set(nodes.filter((node) => node.callFrame.functionName === '(idle)').map((node) => node.id));
  let activeUs = 0;
  for (const [index, node] of samples.entries()) {
    if (!idle.has(node)) activeUs += timeDeltas[index] ?? 0;
  }
  return activeUs / 1000;
}
