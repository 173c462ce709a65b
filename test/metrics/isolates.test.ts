import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFourIsolates } from './four-isolates.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metrics-'));
});
afterAll(() => rm(folder, { recursive: true }));

const TOTAL = 20_000;

test('20,000 requests through four isolates are exactly that, also after three kills', async () => {
  const persist = join(folder, 'kept');
  let shop = await startFourIsolates({ persist });
  await shop.load(TOTAL);
  expect(await shop.settled(TOTAL)).toBe(TOTAL);
  const text = await shop.scrape();
  const count = /^ecommerce_http_request_duration_seconds_count\{method="GET",route="\/health\/live"\} (\d+)$/m.exec(
    text,
  );
  expect(Number(count?.[1])).toBe(TOTAL);
  expect(text).toMatch(/^ecommerce_runtime_isolates 4$/m);

  let expected = TOTAL;
  for (let kill = 0; kill < 3; kill += 1) {
    const pids = execFileSync('pgrep', ['-P', String(process.pid), 'workerd'], { encoding: 'utf8' })
      .trim()
      .split('\n');
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    await shop.stop().catch(() => undefined);
    shop = await startFourIsolates({ persist });
    expect(shop.counted(await shop.scrape())).toBe(expected);
    await shop.load(500);
    expected += 500;
    expect(await shop.settled(expected)).toBe(expected);
  }
  await shop.stop();
});

test('with half of the acknowledgements lost on the way, no batch counts twice and none is lost', async () => {
  const shop = await startFourIsolates({ persist: join(folder, 'lossy'), lossy: true });
  await shop.load(TOTAL);
  expect(await shop.settled(TOTAL)).toBe(TOTAL);
  const duplicates = /^ecommerce_runtime_flush_duplicates_total (\d+)$/m.exec(await shop.scrape());
  expect(Number(duplicates?.[1])).toBeGreaterThan(0);
  await shop.stop();
});
