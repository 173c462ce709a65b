import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eachLine } from '../../deploy/supervisor/lines.ts';
import { lineFrom } from '../../deploy/supervisor/log.ts';
import { openLogSink } from '../../deploy/supervisor/log-sink.ts';
import { installed, run, until } from '../observability/programs.ts';
import { bareBindings, startReplica, type Replica } from './replica.ts';

const CONFIG = join(import.meta.dirname, '../../deploy/logrotate.conf');
let folder: string;
let replica: Replica;
const logFile = () => join(folder, 'log/api.log');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'logs-'));
  await mkdir(join(folder, 'log'));
  chmodSync(folder, 0o755);
  const readLog = () => (existsSync(logFile()) ? readFileSync(logFile(), 'utf8') : '');
  replica = await startReplica({ env: { ...bareBindings(), LOG_OUTPUT: logFile() }, readLog });
});
afterAll(async () => {
  await replica.close();
  rmSync(folder, { recursive: true });
});

/** All that lies in the folder, oldest first: the rotated files and the one that is written to. */
function everyLine(): string[] {
  const names = readdirSync(join(folder, 'log')).toSorted((a, b) => rankOf(b) - rankOf(a));
  return names.flatMap((name) => {
    const bytes = readFileSync(join(folder, 'log', name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    return text.split('\n').filter((line) => line !== '');
  });
}

const rankOf = (name: string): number => Number(/\.(\d+)/.exec(name)?.[1] ?? 0);

/** The shipped file, with this folder, this user, and a killall that knows no replica but ours. */
function ownConfig(): string {
  const killall = join(folder, 'killall');
  const { pid } = replica.child;
  const script = `#!/bin/sh\n[ "$*" = "-SIGUSR1 $(cat /proc/${pid}/comm)" ] && kill -USR1 ${pid}\n`;
  writeFileSync(killall, script, { mode: 0o755 });
  const { username } = userInfo();
  const group = run('id', ['-gn']).trim();
  const text = readFileSync(CONFIG, 'utf8')
    .replaceAll('/var/log/ecommerce/', `${folder}/log/`)
    .replaceAll('ecommerce ecommerce', `${username} ${group}`)
    .replace('/usr/bin/killall', killall);
  const file = join(folder, 'logrotate.conf');
  writeFileSync(file, text, { mode: 0o644 });
  return file;
}

describe.skipIf(!installed('logrotate'))('a log file under the real logrotate', () => {
  test('keeps every line once, whole and in order, over three rotations under load', async () => {
    const config = ownConfig();
    const ids: string[] = [];
    const stopping = new AbortController();
    const load = (async () => {
      while (!stopping.signal.aborted) {
        const id = `line-${ids.length}`;
        await fetch(`${replica.url}/health/live`, { headers: { 'x-request-id': id } });
        ids.push(id);
      }
    })();
    for (let round = 1; round <= 3; round += 1) {
      const before = ids.length;
      await until('some lines', 20_000, () => (ids.length > before + 50 ? true : undefined));
      run('logrotate', ['--force', '--state', join(folder, 'state'), config]);
    }
    stopping.abort();
    await load;
    const seen = () => everyLine().flatMap((line) => /"request_id":"(line-\d+)"/.exec(line)?.[1] ?? []);
    await until('the last line', 20_000, () => (seen().includes(ids.at(-1) ?? '') ? true : undefined));
    expect(seen().toSorted()).toEqual(ids.toSorted());
    expect(readdirSync(join(folder, 'log')).toSorted()).toEqual([
      'api.log',
      'api.log.1',
      'api.log.2.gz',
      'api.log.3.gz',
    ]);
    expect(() => everyLine().map((line) => JSON.parse(line))).not.toThrow();
    expect(readFileSync(logFile(), 'utf8').trim().split('\n').length).toBeLessThan(ids.length);
    expect(replica.lines()).toEqual([]);
  });
});

describe('what workerd prints', () => {
  const shape = { LOG_FORMAT: 'json', SERVICE_NAME: 'shop' } as const;
  const printed = (level: string, message: string) => JSON.stringify({ timestamp: 1, level, message });

  test("is a line of the log: the Worker's as it is, workerd's own with level and time", () => {
    const own = '{"level":"info","msg":"request"}';
    expect(lineFrom(shape, printed('log', own))).toBe(own);
    expect(lineFrom({ ...shape, LOG_FORMAT: 'console' }, printed('log', 'INFO  request'))).toBe('INFO  request');
    const wrapped = (text: string): unknown => JSON.parse(lineFrom(shape, text));
    const line = { service: 'shop', msg: 'workerd' };
    expect(wrapped(printed('warn', 'overdue'))).toMatchObject({ ...line, level: 'warn', cause: 'overdue' });
    expect(wrapped('*** fatal')).toMatchObject({ ...line, level: 'error', cause: '*** fatal' });
  });

  test('is split at line breaks alone, also in the middle of a character', () => {
    const lines: string[] = [];
    const stream = new PassThrough();
    eachLine(stream, (line) => lines.push(line));
    const bytes = Buffer.from('é\u2028é\r\n\nlast');
    stream.write(bytes.subarray(0, 1));
    stream.write(bytes.subarray(1));
    stream.end();
    return once(stream, 'end').then(() => expect(lines).toEqual(['é\u2028é\r', '', 'last']));
  });
});

describe('a sink', () => {
  const says = (lines: number) => `lost ${lines}`;

  test('rejects at once when its file cannot be opened', async () => {
    await expect(openLogSink(join(folder, 'absent/api.log'), says)).rejects.toThrow('ENOENT');
  });

  test('that stands still holds up no one: what does not fit is counted, and said when it moves again', () => {
    const program = `
      import { writeFileSync } from 'node:fs';
      import { openLogSink } from ${JSON.stringify(join(import.meta.dirname, '../../deploy/supervisor/log-sink.ts'))};
      const sink = await openLogSink('stdout', (lines) => 'lost ' + lines);
      const line = 'x'.repeat(1023);
      for (let i = 0; i < 20 * 1024; i += 1) sink.write(line);
      writeFileSync(process.argv[1], '');
      await sink.end();
      sink.write('last');
      await sink.end();
      process.exit();`;
    const wentOn = join(folder, 'went-on');
    // Nothing is read before all is written, which is far more than a pipe holds.
    const reader = `"$0" --input-type=module -e "$1" "$2" | { while [ ! -e "$2" ]; do sleep 0.05; done; cat; }`;
    const { stdout, stderr } = spawnSync('sh', ['-c', reader, process.execPath, program, wentOn], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      timeout: 60_000,
    });
    expect(stderr).toBe('');
    const lines = stdout.trim().split('\n');
    const written = lines.filter((line) => line.length === 1023).length;
    expect(lines.slice(written)).toEqual([`lost ${20 * 1024 - written}`, 'last']);
    expect(written).toBeGreaterThan(10_000);
  });
});
