import { commands, printable, type Command, type Release } from './commands.ts';
import type { Options } from './options.ts';

/** Each step with the command line that it would run, as rows; ids are not known before. */
export function dryRun({ env, url, stages, previous, envFile }: Options, release: Release): [string, string][] {
  const [fresh, old] = ['<new>', '<old>'];
  const steps: [string, Command | string][] = [
    ['what runs there now', commands.status(env)],
    ['verify', commands.verify()],
    ['doctor', commands.doctor(env, envFile)],
    ['pending migrations: previous tests', commands.testPrevious(previous)],
    ['pending migrations: apply', commands.migrate()],
    ['upload', commands.upload(env, release)],
    ['or, with a Durable Object migration', commands.deploy(env, release)],
    ['0 %', commands.split(env, fresh, 0, old)],
    ['smoke test', `${url} with Cloudflare-Workers-Version-Overrides`],
    ...stages.map((percent): [string, Command] => [`${percent} %, watched`, commands.split(env, fresh, percent, old)]),
    ['on any fault', commands.rollback(env, old)],
    ['or, if that is refused', commands.forcedRollback(env, old)],
    ['triggers', commands.triggers(env)],
    ['doctor, live', commands.doctor(env, envFile, url)],
    ['tag', commands.tag(env, release)],
  ];
  return steps.map(([step, command]) => [step, typeof command === 'string' ? command : printable(command)]);
}
