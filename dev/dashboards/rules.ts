import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import * as z from 'zod';

const OBSERVABILITY = join(import.meta.dirname, '../../observability');

const Rule = z.strictObject({
  alert: z.string().optional(),
  record: z.string().optional(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
});
const RuleFile = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), interval: z.string(), rules: z.array(Rule) })),
});

export type Rule = z.infer<typeof Rule>;

/** All rules of observability/rules, in the order of their files. */
export function readRules(): Rule[] {
  const folder = join(OBSERVABILITY, 'rules');
  return readdirSync(folder)
    .sort()
    .flatMap((file) => RuleFile.parse(parseYaml(readFileSync(join(folder, file), 'utf8'))).groups)
    .flatMap((group) => group.rules);
}
