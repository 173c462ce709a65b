import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildWorker } from '../support/global-setup.ts';

export interface Patch {
  file: string;
  /** Must be there exactly once, or the mutation has outlived what it mutates. */
  from: string;
  to: string;
}

export interface Mutant {
  workerDir: string;
  remove(): Promise<void>;
}

const ROOT = join(import.meta.dirname, '../..');

/** The Worker, built from a copy of its sources in which something is missing. */
export async function buildMutant(patches: readonly Patch[]): Promise<Mutant> {
  const folder = await mkdtemp(join(tmpdir(), 'mutant-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    for (const name of ['src', 'dev', 'wrangler.toml', 'package.json', 'tsconfig.json'])
      await cp(join(ROOT, name), join(folder, name), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const { file, from, to } of patches) {
      const path = join(folder, file);
      const parts = (await readFile(path, 'utf8')).split(from);
      if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${from}`);
      await writeFile(path, parts.join(to));
    }
    const workerDir = join(folder, 'built');
    await buildWorker(workerDir, folder);
    return { workerDir, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
