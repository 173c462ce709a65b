import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { hostVariables } from '../../src/platform/config/variables.ts';
import { type Check, fail, pass, skipped, type Verdict } from './check.ts';
import type { Deployment } from './deployment.ts';
import { get } from './live.ts';

const HOUR_MS = 3_600_000;
/** A day, and time for the dump itself. */
const HOURS_MAX = 26;
/** As the scripts name dumps and branches. */
const NAME = /^backup-(?:.+-)?(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(?:\.dump)?$/;
const Branches = z.object({ branches: z.array(z.object({ name: z.string() })) });

/** The last of the names, by the time in them: a copy of a file is no newer than the file. */
function judgeLast(names: readonly string[], now: Date, remedy: string): Verdict & { last: string } {
  const timeOf = (name: string) => name.replace(NAME, '$1-$2-$3T$4:$5:$6Z');
  const last = names.toSorted((a, b) => timeOf(a).localeCompare(timeOf(b))).at(-1) ?? '';
  if (last === '') return { ...fail('there is none', remedy), last };
  const hours = Math.floor((now.getTime() - Date.parse(timeOf(last))) / HOUR_MS);
  const verdict =
    hours > HOURS_MAX ? fail(`${last} is ${hours} hours old`, remedy) : pass(`${hours} hours ago: ${last}`);
  return { ...verdict, last };
}

async function sumOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

/** Dumps of backup-db.sh: the last is from the last day, and is what its sum says. */
async function judgeDumps(folder: string, now: Date): Promise<Verdict> {
  const remedy = 'cron: 0 2 * * * deploy/backup/backup-db.sh';
  const dumps = readdirSync(folder).filter((name) => name.endsWith('.dump') && NAME.test(name));
  const { last, ...verdict } = judgeLast(dumps, now, remedy);
  if (verdict.result === 'fail') return verdict;
  const sums = join(folder, last.replace(/dump$/, 'sha256'));
  const wanted = existsSync(sums) ? readFileSync(sums, 'utf8').split('\n') : [];
  if (wanted.includes(`${await sumOf(join(folder, last))}  ${last}`)) return verdict;
  return fail(`${last} is not what its .sha256 says`, `look at the disk, then ${remedy}`);
}

/** Branches of neon-branch.sh. Throws when Neon refuses. */
async function judgeBranches({ values, now }: Deployment): Promise<Verdict> {
  const { NEON_API_KEY: key, NEON_PROJECT_ID: project, NEON_BRANCH_ID: branch } = values;
  if (key === undefined || project === undefined || branch === undefined) {
    return fail('NEON_API_KEY, NEON_PROJECT_ID and NEON_BRANCH_ID come together', 'set all of them, or none');
  }
  const api = hostVariables().shape.NEON_API_URL.parse(values['NEON_API_URL']);
  const reply = await get(`${api}/projects/${encodeURIComponent(project)}/branches`, {
    authorization: `Bearer ${key}`,
  });
  if (!reply.ok) return fail(`Neon answers ${reply.status}`, 'see NEON_API_KEY and NEON_PROJECT_ID');
  const names = Branches.parse(await reply.json()).branches.map(({ name }) => name);
  const ours = names.filter((name) => name.startsWith(`backup-${branch}-`) && NAME.test(name));
  return judgeLast(ours, now(), 'cron: 0 2 * * * deploy/backup/neon-branch.sh backup');
}

/** Wherever there are to be some: all of these have to be good. From elsewhere nothing can be said. */
export const backups: Check = {
  id: 'backups',
  title: 'The last backup is from the last day, and whole',
  run: async (deployment) => {
    const { values, now } = deployment;
    const folder = hostVariables().shape.BACKUP_DIR.parse(values['BACKUP_DIR']);
    const verdicts: Verdict[] = [];
    if (values['BACKUP_DIR'] !== undefined || existsSync(folder)) verdicts.push(await judgeDumps(folder, now()));
    const isOnNeon = ['NEON_API_KEY', 'NEON_PROJECT_ID', 'NEON_BRANCH_ID'].some((name) => values[name] !== undefined);
    if (isOnNeon) verdicts.push(await judgeBranches(deployment));
    const [first, second] = verdicts;
    if (first === undefined) {
      return skipped(
        'neither dumps nor Neon are known here',
        'run it where BACKUP_DIR is, or with NEON_API_KEY and the rest',
      );
    }
    if (first.result === 'fail' || second === undefined) return first;
    return second.result === 'fail' ? second : pass(`${first.seen}; ${second.seen}`);
  },
};
