import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readOptions } from '../../deploy/cloudflare/options.ts';

const ROOT = join(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

interface Step {
  uses?: string;
  run?: string;
  env?: Record<string, string>;
  with?: Record<string, unknown>;
}
interface Job {
  /** Another workflow, instead of steps. */
  uses?: string;
  needs?: string;
  permissions?: Record<string, string>;
  'timeout-minutes'?: number;
  steps?: Step[];
}
interface Workflow {
  permissions: Record<string, string>;
  concurrency: { group: string; 'cancel-in-progress': boolean };
  jobs: Record<string, Job>;
}

const read = (name: string) => parse(readFileSync(join(ROOT, '.github/workflows', name), 'utf8')) as Workflow;
const stepsOf = (workflow: Workflow) => Object.values(workflow.jobs).flatMap(({ steps = [] }) => steps);

describe.each(['ci.yml', 'deploy.yml'])('%s', (name) => {
  const workflow = read(name);
  const steps = stepsOf(workflow);

  test('runs scripts that exist', () => {
    const named = steps.flatMap(({ run = '' }) =>
      [...run.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, script]) => script!),
    );
    expect(named.length).toBeGreaterThan(1);
    expect(named.filter((script) => script !== 'ci' && !(script in scripts))).toEqual([]);
  });

  test('gives no right that it does not need, and ends', () => {
    expect(Object.values(workflow.permissions)).not.toContain('write');
    const given = Object.values(workflow.jobs).flatMap(({ permissions = {} }) => Object.values(permissions));
    expect(given).toEqual(name === 'deploy.yml' ? ['read', 'write'] : []);
    for (const job of Object.values(workflow.jobs)) {
      if (job.uses === undefined) expect(job['timeout-minutes']).toBeLessThanOrEqual(90);
    }
  });

  test('uses actions of GitHub at a major version, and puts nothing that others write into a shell', () => {
    for (const { uses, run } of steps) {
      if (uses !== undefined) expect(uses).toMatch(/^actions\/[a-z-]+@v\d+$/);
      expect(run ?? '').not.toContain('${{');
    }
  });
});

test('what is deployed was tested, and a rollout under way is not canceled by the next', () => {
  const { ci, deploy } = read('deploy.yml').jobs;
  expect([ci?.uses, deploy?.needs]).toEqual(['./.github/workflows/ci.yml', 'ci']);
  expect(read('deploy.yml').concurrency['cancel-in-progress']).toBe(false);
});

test('the deployment is given what it asks for', () => {
  const step = stepsOf(read('deploy.yml')).find(({ run }) => run?.startsWith('npm run deploy') === true)!;
  const needed = ['CLOUDFLARE_ACCOUNT_ID', 'CLOUDFLARE_API_TOKEN', 'METRICS_TOKEN', 'MIGRATION_DATABASE_URL'];
  expect(Object.keys(step.env ?? {})).toEqual(expect.arrayContaining([...needed, 'DEPLOY_URL']));
  const args = step.run!.replace('npm run deploy -- ', '').replace('"$ENVIRONMENT"', 'staging').split(' ');
  expect(readOptions(args, { DEPLOY_URL: 'https://shop.example' })).toMatchObject({ env: 'staging', yes: true });
});
