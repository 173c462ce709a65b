import { randomBytes } from 'node:crypto';
import { ConfigError, parseConfig } from '../../src/platform/config.ts';
import { parseHost } from '../../src/platform/config/variables.ts';
import { allVariables, type Variable } from '../variables/variables.ts';
import { type Check, fail, pass } from './check.ts';
import { type Deployment, isSetUnseen } from './deployment.ts';

const TYPOS_MAX = 2;

/** Passes where the real value, which only Cloudflare knows, would be looked at; every secret another one. */
function standIn({ range }: Variable): string {
  if (range.includes('postgres://')) return 'postgres://app:secret@db.invalid/shop?sslmode=require';
  if (range.includes('http(s)') || range.includes('URL with')) return 'https://known.invalid/#{token}';
  if (range.includes('OTLP')) return 'https://known.invalid/v1/traces';
  if (range.includes('JSON')) return '{}';
  return range.includes('characters') ? randomBytes(32).toString('base64url') : '';
}

/** What the Worker will be told, as far as it is known. */
function toldTo(deployment: Deployment, variables: readonly Variable[]): Record<string, string> {
  const told = variables.flatMap((variable) => {
    const value = isSetUnseen(deployment, variable.name) ? standIn(variable) : deployment.values[variable.name];
    return value === undefined ? [] : [[variable.name, value] as const];
  });
  return Object.fromEntries(told);
}

/** Every fault of the Worker's bindings and of the host's variables. */
export function faultsOf(deployment: Deployment): string[] {
  const told = toldTo(deployment, allVariables());
  return [parseConfig, parseHost].flatMap((parse) => {
    try {
      parse(told);
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
  });
}

/** Letters to change, add or leave out until the two are the same. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split('').entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

const bindings: Check = {
  id: 'bindings',
  title: 'Every variable is there, in range and fits the others',
  run: (deployment) => {
    const faults = [...new Set(faultsOf(deployment))];
    if (faults.length > 0) {
      return fail(faults.join('; '), 'set them: vars in wrangler.toml, secrets with `wrangler secret put NAME`');
    }
    const unseen = allVariables().filter(({ name }) => isSetUnseen(deployment, name)).length;
    return pass(unseen === 0 ? 'all values looked at' : `${unseen} are secrets at Cloudflare, known by name alone`);
  },
};

const names: Check = {
  id: 'names',
  title: 'No variable is misspelled',
  run: ({ vars, inFile, secrets }) => {
    const known = allVariables().map(({ name }) => name);
    const meantBy = (name: string) => known.find((each) => distance(name, each) <= TYPOS_MAX);
    const isUnknown = (name: string) => !known.includes(name);
    const strange = [
      ...[...vars, ...(secrets ?? [])].filter(isUnknown),
      ...inFile.filter((name) => isUnknown(name) && meantBy(name) !== undefined),
    ];
    if (strange.length === 0) return pass(`${known.length} names are known`);
    const meant = strange.flatMap((name) => meantBy(name) ?? []);
    const remedy = meant.length > 0 ? `meant may be ${meant.join(', ')}` : 'README lists every name';
    return fail(`nobody reads ${strange.join(', ')}`, remedy);
  },
};

const environment: Check = {
  id: 'environment',
  title: 'The deployment knows which one it is',
  run: ({ environment, values }) => {
    const wanted = environment === 'dev' ? ['development', 'test'] : [environment];
    const given = values['ENVIRONMENT'] ?? 'unset';
    if (wanted.includes(given)) return pass(`ENVIRONMENT is ${given}`);
    return fail(`ENVIRONMENT is ${given}`, `it must be ${wanted.join(' or ')}`);
  },
};

export const bindingChecks: readonly Check[] = [environment, names, bindings];
