import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exposition } from './exposition.ts';
import { installed, OBSERVABILITY, run } from './programs.ts';

const inFolder = (folder: string): string[] =>
  readdirSync(join(OBSERVABILITY, folder)).map((file) => join(OBSERVABILITY, folder, file));

/** METRICS_SOURCE: a file or a URL with the text of a /metrics, for a URL with METRICS_TOKEN; otherwise a made-up shop's. */
async function metricsText(): Promise<string> {
  const source = process.env['METRICS_SOURCE'];
  if (source === undefined) return exposition(60, 1_800_000_000);
  if (!/^https?:/.test(source)) return readFileSync(source, 'utf8');
  const reply = await fetch(source, { headers: { authorization: `Bearer ${process.env['METRICS_TOKEN'] ?? ''}` } });
  expect(reply.status).toBe(200);
  return reply.text();
}

describe.skipIf(!installed('promtool'))('promtool', () => {
  test('check config, with a token where it says', () => {
    const folder = mkdtempSync(join(tmpdir(), 'promtool-'));
    try {
      for (const part of ['prometheus.yml', 'rules'])
        cpSync(join(OBSERVABILITY, part), join(folder, part), { recursive: true });
      writeFileSync(join(folder, 'metrics-token'), 'token');
      expect(run('promtool', ['check', 'config', join(folder, 'prometheus.yml')])).toContain('3 rule files found');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('check rules', () => {
    expect(run('promtool', ['check', 'rules', ...inFolder('rules')])).toContain('SUCCESS');
  });

  test('sees each alert fire when it should, and stay silent when it should', () => {
    expect(run('promtool', ['test', 'rules', ...inFolder('rules-tests')]).match(/SUCCESS/g)).toHaveLength(3);
  });

  test('check metrics: names, units, help and types', async () => {
    run('promtool', ['check', 'metrics'], await metricsText());
    expect(() => run('promtool', ['check', 'metrics'], '# TYPE a counter\na 1\n')).toThrow('ended with 3');
  });
});

describe.skipIf(!installed('amtool'))('amtool', () => {
  test('check-config, and who is told what', () => {
    const file = join(OBSERVABILITY, 'alertmanager.yml');
    expect(run('amtool', ['check-config', file])).toContain('SUCCESS');
    const told = (severity: string): string =>
      run('amtool', ['config', 'routes', 'test', `--config.file=${file}`, `severity=${severity}`]).trim();
    expect([told('critical'), told('warning')]).toEqual(['on-call', 'chat']);
  });
});
