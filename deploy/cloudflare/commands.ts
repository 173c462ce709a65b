/** A program and its arguments. */
export type Command = readonly string[];

/** What is released: shown by /health, kept as the version's tag and in every metric. */
export interface Release {
  /** Of package.json and the commit: 1.4.0+a1b2c3d */
  version: string;
  /** RFC 3339 */
  buildTime: string;
  commit: string;
}

/** Of a Worker's version, by wrangler. */
export type VersionId = string;

const npm = (script: string, ...args: string[]): Command => [
  'npm',
  'run',
  '--silent',
  script,
  ...(args.length > 0 ? ['--', ...args] : []),
];

/** Every command line of a deployment; nothing else is run. */
export const commands = {
  status: (env: string): Command => ['wrangler', 'deployments', 'status', '--env', env, '--json'],
  verify: (): Command => npm('verify'),
  doctor: (env: string, envFile: string | undefined, url?: string): Command =>
    npm(
      'doctor',
      '--env',
      env,
      ...(envFile === undefined ? [] : ['--env-file', envFile]),
      ...(url === undefined ? [] : ['--url', url]),
    ),
  testPrevious: (ref: string): Command => npm('test:previous', ref),
  migrate: (): Command => npm('migrate', 'up'),
  upload: (env: string, release: Release): Command => ['wrangler', 'versions', 'upload', ...versionOf(env, release)],
  deploy: (env: string, release: Release): Command => ['wrangler', 'deploy', ...versionOf(env, release)],
  /** New first in every stage: Durable Objects then move to the new version once, and only forward. */
  split: (env: string, fresh: VersionId, percent: number, old: VersionId): Command => [
    'wrangler',
    'versions',
    'deploy',
    `${fresh}@${percent}%`,
    ...(percent < 100 ? [`${old}@${100 - percent}%`] : []),
    '--env',
    env,
    '--message',
    `${percent} % of the traffic`,
    '--yes',
  ],
  rollback: (env: string, old: VersionId): Command => [
    'wrangler',
    'versions',
    'deploy',
    `${old}@100%`,
    '--env',
    env,
    '--message',
    'Rolled back',
    '--yes',
  ],
  /** Also goes back when a secret was changed in between, which the other refuses. */
  forcedRollback: (env: string, old: VersionId): Command => [
    'wrangler',
    'rollback',
    old,
    '--env',
    env,
    '--message',
    'Rolled back',
    '--yes',
  ],
  triggers: (env: string): Command => ['wrangler', 'triggers', 'deploy', '--env', env],
  tag: (env: string, { commit }: Release): Command => ['git', 'tag', '--force', `release/${env}`, commit],
};

function versionOf(env: string, { version, buildTime, commit }: Release): string[] {
  const vars = ['--var', `SERVICE_VERSION:${version}`, '--var', `BUILD_TIME:${buildTime}`];
  return ['--env', env, '--tag', version, '--message', `Commit ${commit.slice(0, 12)}`, ...vars];
}

/** As a shell would take it. */
export function printable(command: Command): string {
  return command.map((word) => (/^[\w@%+=:,./<>-]+$/.test(word) ? word : `'${word}'`)).join(' ');
}
