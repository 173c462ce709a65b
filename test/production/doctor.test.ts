import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { examine, type Finding } from '../../dev/doctor/check.ts';
import { CHECKS } from '../../dev/doctor/checks.ts';
import { bindings } from '../../src/platform/config/variables.ts';
import { installed, startPrometheus, until } from '../observability/programs.ts';
import { BREAKS } from './doctor-breaks.ts';
import { ALERTS, type Clinic, FOLDER, startClinic } from './doctor-clinic.ts';
import { startFront } from './doctor-fixture.ts';

describe.skipIf(!installed('openssl'))('the doctor', () => {
  let clinic: Clinic;
  beforeAll(async () => {
    clinic = await startClinic();
  });
  afterEach(() => clinic.heal());
  afterAll(() => clinic.close());

  const only = (...ids: string[]) => CHECKS.filter(({ id }) => ids.includes(id));

  test('a deployment with nothing wrong passes every check', async () => {
    const findings = await examine(CHECKS, clinic.deployment());
    expect(findings.filter(({ result }) => result !== 'pass')).toEqual([]);
  });

  describe('every check fails when what it looks at is broken', () => {
    test('none is left out here', () => {
      expect(Object.keys(BREAKS)).toEqual(CHECKS.map(({ id }) => id));
    });

    const breaks = Object.entries(BREAKS).flatMap(([id, all]) =>
      Object.entries(all).map(([name, broken]) => ({ id, name, broken })),
    );
    test.each(breaks)('$id: $name', async ({ id, broken }) => {
      clinic.front.mangle = broken.mangle ?? null;
      await broken.prepare?.(clinic);
      const [finding] = await examine(only(id), clinic.deployment(broken.values, broken.changes));
      expect(finding).toMatchObject({
        id,
        result: 'fail',
        seen: expect.stringMatching(/./),
        remedy: expect.stringMatching(/./),
      });
    });

    test('tls: an old version is spoken', async () => {
      const old = await startFront(clinic.stack.url, clinic.certificate, {
        minVersion: 'TLSv1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      try {
        const [finding] = await examine(only('tls'), clinic.deployment({}, { url: old.url }));
        expect(finding).toMatchObject({ result: 'fail', seen: 'TLS 1.0 or 1.1 is spoken' });
      } finally {
        await old.close();
      }
    });
  });

  test.each([
    [
      'dumps alone',
      { NEON_API_KEY: '', NEON_PROJECT_ID: '', NEON_BRANCH_ID: '' },
      /^0 hours ago: backup-\d{8}T\d{6}Z\.dump$/,
    ],
    ['branches alone', { BACKUP_DIR: '' }, /^0 hours ago: backup-br-shop-\d{8}T\d{6}Z$/],
  ])('backups may be %s', async (_, values, seen) => {
    const [finding] = await examine(only('backups'), clinic.deployment(values));
    expect(finding).toMatchObject({ result: 'pass', seen: expect.stringMatching(seen) });
  });

  test('an endpoint in a private network may speak in the clear', async () => {
    const values = {
      DATABASE_ENDPOINT: 'http://postgres-endpoint:8080/sql',
      UPSTASH_REDIS_REST_URL: 'http://10.0.0.7:8081',
    };
    const findings = await examine(only('database-tls', 'redis-password'), clinic.deployment(values));
    expect(findings.map(({ result }) => result)).toEqual(['pass', 'pass']);
  });

  test('waits for the first tick of what was just deployed', async () => {
    await clinic.tick();
    let scrapes = 0;
    clinic.front.mangle = async (path, reply) => {
      if (path !== '/metrics' || reply.status !== 200 || (scrapes += 1) > 1) return reply;
      return new Response((await reply.text()).replace(/^ecommerce_tick_last.*$/gm, ''), reply);
    };
    const [finding] = await examine(only('metrics'), clinic.deployment({}, { patienceMs: 60_000 }));
    expect([finding?.result, scrapes]).toEqual(['pass', 2]);
  });

  describe('what cannot be seen is skipped, not passed', () => {
    const secrets = [
      'DATABASE_URL',
      'JWT_ACCESS_SECRET',
      'UPSTASH_REDIS_REST_TOKEN',
      'METRICS_TOKEN',
      'ALLOWED_ORIGINS',
    ];

    test('secrets that only Cloudflare knows', async () => {
      const blank = Object.fromEntries(secrets.map((name) => [name, '']));
      const findings = await examine(CHECKS, clinic.deployment(blank, { secrets }));
      const resultOf = new Map(findings.map(({ id, result }) => [id, result]));
      for (const id of ['jwt-secrets', 'database-tls', 'database-role', 'redis-password', 'cors', 'metrics']) {
        expect([id, resultOf.get(id)]).toEqual([id, 'skipped']);
      }
      expect(findings.filter(({ result }) => result === 'fail')).toEqual([]);
      expect(findings.find(({ id }) => id === 'bindings')?.seen).toContain('5 are secrets at Cloudflare');
    });

    test.skipIf(existsSync('/var/backups/ecommerce'))('backups, from where there are none to be', async () => {
      const nowhere = { BACKUP_DIR: '', NEON_API_KEY: '', NEON_PROJECT_ID: '', NEON_BRANCH_ID: '' };
      const [finding] = await examine(only('backups'), clinic.deployment(nowhere));
      expect(finding).toMatchObject({ result: 'skipped', remedy: expect.stringContaining('BACKUP_DIR') });
    });

    test('what nobody gave an address of', async () => {
      const nowhere = { url: null, prometheusUrl: null, grafanaUrl: null };
      const findings = await examine(CHECKS, clinic.deployment({}, nowhere));
      const skipped = findings.filter(({ result }) => result === 'skipped');
      expect(skipped).toHaveLength(11);
      for (const { remedy } of skipped) expect(remedy).toMatch(/^--(url|prometheus|grafana) /);
    });
  });

  test.skipIf(!installed('prometheus'))('a real Prometheus with the committed rules passes', async () => {
    const shop = new URL(clinic.stack.url).host;
    const token = clinic.stack.bindings['METRICS_TOKEN'] ?? '';
    const real = await startPrometheus({ shop, token, alertmanager: '127.0.0.1:9', everyS: 1 });
    try {
      const checks = only('prometheus', 'alert-rules');
      const findings = await until('a scrape', 30_000, async () => {
        const found = await examine(checks, clinic.deployment({}, { prometheusUrl: real.url }));
        return found.every(({ result }) => result === 'pass') ? found : undefined;
      });
      expect(findings.map(({ seen }) => seen)).toEqual(['1 targets are up', `${ALERTS.length} alerts`]);
    } finally {
      await real.stop();
    }
  });

  describe('npm run doctor', () => {
    const ROOT = join(import.meta.dirname, '../..');
    const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);

    /** As it is typed; the clinic's certificate is trusted. */
    function doctor(args: string[], env: Record<string, string> = {}) {
      const options = { cwd: ROOT, env: { PATH: path, NODE_EXTRA_CA_CERTS: clinic.certificate.certFile, ...env } };
      return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
        execFile(process.execPath, ['dev/doctor/main.ts', ...args], options, (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
        );
      });
    }

    /** What a person would write down of the deployment. */
    function envFile(changes: Record<string, string> = {}): string {
      const { values } = clinic.deployment(changes);
      const file = join(FOLDER, 'production.env');
      writeFileSync(
        file,
        Object.entries(values)
          .map(([name, value]) => `${name}="${value}"\n`)
          .join(''),
      );
      return file;
    }
    const watched = () => ['--prometheus', clinic.prometheus.url, '--grafana', clinic.grafana.url];
    const findingOf = (json: string, id: string) =>
      (JSON.parse(json) as Finding[]).find((finding) => finding.id === id);
    const resultOf = (json: string, id: string) => findingOf(json, id)?.result;

    /** What is known of the shop that the Worker has to be told, and wrangler.toml does not say. */
    const toldToWorker = () =>
      Object.keys(clinic.deployment().values).filter(
        (name) => Object.hasOwn(bindings.shape, name) && name !== 'ENVIRONMENT' && name !== 'SERVICE_VERSION',
      );

    /** An account whose Worker in staging has secrets of these names. */
    function cloudflareWith(names: string[]): Record<string, string> {
      const bin = join(FOLDER, 'bin');
      mkdirSync(bin, { recursive: true });
      const secrets = names.map((name) => ({ name, type: 'secret_text' }));
      const asked = `test "$*" = "secret list --env staging --format json" && echo '${JSON.stringify(secrets)}'`;
      writeFileSync(join(bin, 'wrangler'), `#!/bin/sh\n${asked}\n`);
      chmodSync(join(bin, 'wrangler'), 0o755);
      return { PATH: [bin, path].join(delimiter), CLOUDFLARE_API_TOKEN: 'a-token' };
    }

    test('prints a line per check and per line of the checklist, and ends with 0 when all is well', async () => {
      await clinic.tick();
      const { code, stdout } = await doctor([
        '--env',
        'production',
        '--url',
        clinic.front.url,
        ...watched(),
        '--env-file',
        envFile(),
      ]);
      expect(stdout).toContain(`${CHECKS.length} passed, 0 failed, 0 skipped`);
      expect(stdout).toMatch(/^pass {2}Strong JWT secrets generated {2,}jwt-secrets, /m);
      for (const { title } of CHECKS) expect(stdout).toContain(title.slice(0, 40));
      expect(code).toBe(0);
    });

    test('ends with 1 on a fault, says what to do, and shows no secret', async () => {
      const file = envFile({ JWT_ACCESS_SECRET: 'hunter2', RATE_LIMIT_ENABLED: 'false' });
      const { code, stdout } = await doctor(['--env', 'production', '--env-file', file]);
      expect(stdout).toMatch(
        /^FAIL {2}Rate limits are on {2,}RATE_LIMIT_ENABLED is false {2,}remove it, or set it to true$/m,
      );
      expect(stdout).toMatch(/^FAIL {2}Rate limiting enabled/m);
      expect(stdout).not.toContain('hunter2');
      expect(code).toBe(1);
    });

    test('asks Cloudflare for the names of the secrets when it may', async () => {
      const env = cloudflareWith(toldToWorker());
      const file = envFile({ ENVIRONMENT: 'staging', DATABASE_URL: '', JWT_ACCESS_SECRET: '' });
      const { code, stdout } = await doctor(['--env', 'staging', '--json', '--env-file', file], env);
      expect(resultOf(stdout, 'database-tls')).toBe('skipped');
      expect(resultOf(stdout, 'bindings')).toBe('pass');
      expect(code).toBe(0);
      const refused = await doctor(['--env', 'production', '--env-file', file], env);
      expect(refused.stderr).toContain('secret list --env production --format json failed: see CLOUDFLARE_API_TOKEN');
      expect(refused.code).toBe(2);
    });

    test.each(['DATABASE_URL', 'ORDER_TOKEN_SECRET'])(
      '%s of the file and the shell is none at Cloudflare',
      async (name) => {
        const env = cloudflareWith(toldToWorker().filter((each) => each !== name));
        const file = envFile({ ENVIRONMENT: 'staging' });
        const shell = { [name]: clinic.deployment().values[name] ?? '' };
        const { code, stdout } = await doctor(['--env', 'staging', '--json', '--env-file', file], { ...shell, ...env });
        expect(findingOf(stdout, 'bindings')).toMatchObject({ result: 'fail', seen: `${name} is missing` });
        expect(code).toBe(1);
      },
    );

    test('what Cloudflare never sees, it is not told', async () => {
      const env = cloudflareWith(toldToWorker().filter((name) => name !== 'ALLOWED_ORIGINS'));
      const file = envFile({ ENVIRONMENT: 'production', RATE_LIMIT_ENABLED: 'false' });
      const { stdout } = await doctor(['--env', 'staging', '--json', '--env-file', file], env);
      expect(['environment', 'cors', 'rate-limits'].map((id) => resultOf(stdout, id))).toEqual([
        'pass',
        'fail',
        'pass',
      ]);
    });

    test('wrangler.toml wins over the shell, and a file over both when self-hosted', async () => {
      const shell = { ENVIRONMENT: 'staging' };
      const args = ['--env', 'production', '--json'];
      expect(resultOf((await doctor(args, shell)).stdout, 'environment')).toBe('pass');
      const file = envFile({ ENVIRONMENT: 'staging' });
      expect(resultOf((await doctor([...args, '--env-file', file])).stdout, 'environment')).toBe('fail');
    });

    test('is asked for an environment that there is', async () => {
      const { code, stderr } = await doctor(['--env', 'prod']);
      expect(stderr).toContain('npm run doctor -- --env production|staging|dev');
      expect(code).toBe(2);
    });
  });
});
