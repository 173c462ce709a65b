import { habitRules } from './habits.ts';
import { layerRules } from './layers.ts';
import type { Repository, Rule } from './rule.ts';
import { readSource } from './source.ts';

export const rules: readonly Rule[] = [...layerRules, ...habitRules];

/** Holds every rule against the files (path from the root to text): one line for each break, empty when all hold. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  const repository: Repository = {
    paths: [...files.keys()],
    sources: [...files].filter(([path]) => /\.m?ts$/.test(path)).map(([path, text]) => readSource(path, text)),
  };
  return rules.flatMap((rule) =>
    rule.check(repository).map(({ path, line, message }) => `${path}:${line} ${message} [${rule.name}]`),
  );
}
