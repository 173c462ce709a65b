import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { startIsolates } from '../../bench/metrics-isolates.ts';
import { runLoad, type LoadOptions, type LoadResult } from '../../bench/metrics-load.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metrics-'));
});
afterEach(() => rm(folder, { recursive: true }));

const REQUESTS = 20_000;
const EXACT = { sent: REQUESTS, counted: REQUESTS, observed: REQUESTS, isolates: 4, wentBack: 0 };

async function load(isLossy: boolean, options: Omit<LoadOptions, 'requests'>): Promise<LoadResult> {
  const shop = await startIsolates({ workerDir: inject('shared').workerDir, folder, isLossy });
  try {
    return await runLoad(shop, { requests: REQUESTS, ...options });
  } finally {
    await shop.stop();
  }
}

// Finding the process to kill takes Linux's /proc.
describe.runIf(process.platform === 'linux')('20,000 requests through four isolates are exactly that', () => {
  test('with the process of the object that counts killed three times under them', async () => {
    const result = await load(false, { seconds: 16, kills: 3 });
    expect(result).toMatchObject(EXACT);
    // The outages were felt: no scrape could be answered.
    expect(result.unanswered).toBeGreaterThanOrEqual(3);
  });

  test('with half of the acknowledgements lost on the way', async () => {
    const result = await load(true, { seconds: 8, kills: 0 });
    expect(result).toMatchObject(EXACT);
    expect(result.duplicates).toBeGreaterThan(0);
  });
});
