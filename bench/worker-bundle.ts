import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import * as z from 'zod';
import { wrangler } from './wrangler.ts';

export interface WorkerBundle {
  /** Bytes of all modules that are uploaded; source maps are not counted. */
  rawBytes: number;
  gzipBytes: number;
  /** Bytes of the output by the package they come from, the largest first. */
  packages: { name: string; bytes: number }[];
}

// The part of esbuild's metafile that is read: https://esbuild.github.io/api/#metafile
const Metafile = z.object({
  outputs: z.record(z.string(), z.object({ inputs: z.record(z.string(), z.object({ bytesInOutput: z.number() })) })),
});

const NOT_UPLOADED = /(\.map|^README\.md|^meta\.json)$/;

/** Bundles the Worker of a folder as a deployment of the environment would. */
export async function buildWorkerBundle(folder: string, environment: string): Promise<WorkerBundle> {
  const output = await mkdtemp(path.join(tmpdir(), 'worker-bundle-'));
  try {
    const metafile = path.join(output, 'meta.json');
    await wrangler(folder, ['deploy', '--dry-run', '--env', environment, '--outdir', output, '--metafile', metafile]);
    const names = await readdir(output, { recursive: true });
    const modules = await Promise.all(
      names
        .filter((name) => path.extname(name) !== '' && !NOT_UPLOADED.test(name))
        .map((name) => readFile(path.join(output, name))),
    );
    const zipped = await Promise.all(modules.map((module) => promisify(gzip)(module)));
    return {
      rawBytes: byteSum(modules),
      gzipBytes: byteSum(zipped),
      packages: byPackage(Metafile.parse(JSON.parse(await readFile(metafile, 'utf8')))),
    };
  } finally {
    await rm(output, { recursive: true });
  }
}

function byteSum(buffers: readonly Buffer[]): number {
  return buffers.reduce((all, buffer) => all + buffer.byteLength, 0);
}

function byPackage({ outputs }: z.infer<typeof Metafile>): WorkerBundle['packages'] {
  const bytesOf = new Map<string, number>();
  for (const { inputs } of Object.values(outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      const name = packageOf(input);
      bytesOf.set(name, (bytesOf.get(name) ?? 0) + bytesInOutput);
    }
  }
  return [...bytesOf].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}

function packageOf(input: string): string {
  const inside = input.split('node_modules/').at(-1) ?? input;
  if (inside !== input) return /^(@[^/]+\/)?[^/]+/.exec(inside)?.[0] ?? inside;
  return /(?:^|\/)(src\/(?:domains\/[^/]+|[^/]+))/.exec(input)?.[1] ?? 'made by wrangler';
}
