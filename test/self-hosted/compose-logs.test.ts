import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { installed, run } from '../observability/programs.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const read = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8');
/** What a test reads of a file. */
// oxlint-disable-next-line typescript/no-explicit-any -- the Compose schema types it; here it is read by path
type Json = any;

const compose: Json = parse(read('compose.yaml'), { merge: true });
const replicas = Object.keys(compose.services).filter((name) => name.startsWith('api-'));
/** Where a replica's log file is on the host. */
const folderOf = (replica: string): string => `/var/log/ecommerce/${replica}`;

describe('logs under Compose', () => {
  test('what a container prints has an end', () => {
    for (const [name, { logging }] of Object.entries<Json>(compose.services)) {
      expect(logging, name).toEqual({ driver: 'json-file', options: { 'max-size': '20m', 'max-file': '5' } });
    }
  });

  test('every replica writes into a folder of the host that has to be there, and Alloy reads them all', () => {
    for (const replica of replicas) {
      const { environment, volumes } = compose.services[replica];
      const mount = volumes.find(({ type }: Json) => type === 'bind');
      expect(mount).toMatchObject({ source: folderOf(replica), bind: { create_host_path: false } });
      expect(environment.LOG_OUTPUT).toBe(`${mount.target}/api.log`);
      expect(read('compose/logrotate.conf')).toMatch(new RegExp(`^# .*install -d .*${folderOf(replica)}\\b`, 'm'));
    }
    expect(compose.services.alloy.volumes).toContain('/var/log/ecommerce:/var/log/ecommerce:ro');
    expect(read('compose/config.alloy')).toContain('"/var/log/ecommerce/*/*.log"');
  });

  test.runIf(installed('logrotate'))('logrotate turns them all, and every replica hears of it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'compose-logs-'));
    afterAll(() => rmSync(folder, { recursive: true }));
    for (const replica of replicas) {
      mkdirSync(join(folder, replica));
      writeFileSync(join(folder, replica, 'api.log'), 'a line\n');
    }
    const docker = join(folder, 'docker');
    // It fails, as Docker does when one of the three is not running.
    writeFileSync(docker, `#!/bin/sh\necho "$@" >> ${folder}/asked\nexit 1\n`, { mode: 0o755 });
    const config = join(folder, 'logrotate.conf');
    const owner = `${userInfo().username} ${run('id', ['-gn']).trim()}`;
    const text = read('compose/logrotate.conf')
      .replaceAll('/var/log/ecommerce/', `${folder}/`)
      .replaceAll('ecommerce ecommerce\n', `${owner}\n`)
      .replace('/usr/bin/docker', docker);
    writeFileSync(config, text, { mode: 0o644 });
    run('logrotate', ['--force', '--state', join(folder, 'state'), config]);
    for (const replica of replicas) {
      expect(readdirSync(join(folder, replica)).toSorted()).toEqual(['api.log', 'api.log.1']);
      expect(readFileSync(join(folder, replica, 'api.log.1'), 'utf8')).toBe('a line\n');
    }
    const containers = replicas.map((replica) => `${compose.name}-${replica}-1`).join(' ');
    expect(readFileSync(join(folder, 'asked'), 'utf8')).toBe(`kill --signal USR1 ${containers}\n`);
  });
});
