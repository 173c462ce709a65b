// The same deployment with the real wrangler, against a stand-in of Cloudflare's API: what the command lines do there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createShell } from '../../deploy/cloudflare/shell.ts';
import { currentVersion } from '../../deploy/cloudflare/wrangler.ts';
import { startCloudflareApi, type Account } from './cloudflare-api.ts';
import { releasedShop, ROOT, type Shop } from './deploy-fixture.ts';
import { FRESH, OLD } from './deploy-server.ts';

/** The project's own environments around a Worker of one line. */
function commitWorker(shop: Shop): void {
  const config = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8');
  const own = config
    .replace('src/index.ts', 'worker.js')
    .replace(/^\[build\]\n(?:.+\n)+/m, '')
    .replace('dist/assets', 'migrations');
  const worker = 'export class MetricsAggregator {}\nexport default { fetch: () => new Response() };\n';
  shop.commit({ 'wrangler.toml': own, 'worker.js': worker, '.gitignore': '.wrangler\nnode_modules\n' });
}

async function cloudflare(shop: Shop, account: Account) {
  const api = await startCloudflareApi(shop.stateFile, account);
  const env = {
    CLOUDFLARE_API_BASE_URL: api.url,
    CLOUDFLARE_API_TOKEN: 'token-1',
    CLOUDFLARE_ACCOUNT_ID: 'account-1',
    // After a refusal wrangler would ask for a newer wrangler.
    npm_config_registry: 'http://127.0.0.1:9',
  };
  return { api, env };
}

test('uploads with its version and secrets, shifts the traffic in the order that keeps objects in place, sets the cron', async () => {
  const shop = await releasedShop({ stands: ['npm'] });
  commitWorker(shop);
  const { api, env } = await cloudflare(shop, { exists: true, migrationTag: 'v1' });
  const { code, output } = await shop.deploy(['--stages', '10,100'], undefined, env);
  expect(code, output).toBe(0);
  expect(api.unknown).toEqual([]);
  expect(api.deployments.map((traffic) => Object.entries(traffic))).toEqual([
    [
      [FRESH, 0],
      [OLD, 100],
    ],
    [
      [FRESH, 10],
      [OLD, 90],
    ],
    [[FRESH, 100]],
  ]);
  const commit = shop.git('rev-parse', '--short=7', 'HEAD').trim();
  const [upload] = api.uploads;
  expect(upload).toMatchObject({
    atOnce: false,
    annotations: { 'workers/tag': `1.4.0+${commit}` },
    keep_bindings: expect.arrayContaining(['secret_text']),
  });
  expect(upload!.bindings).toEqual(
    expect.arrayContaining([
      { name: 'ENVIRONMENT', type: 'plain_text', text: 'production' },
      { name: 'SERVICE_VERSION', type: 'plain_text', text: `1.4.0+${commit}` },
      { name: 'BUILD_TIME', type: 'plain_text', text: expect.stringMatching(/^2\d{3}-.*:\d\dZ$/) },
      expect.objectContaining({ name: 'METRICS', type: 'durable_object_namespace' }),
    ]),
  );
  expect(api.schedules).toEqual(['* * * * *']);
});

test('a way back that Cloudflare refuses because of a changed secret is insisted on', async () => {
  const shop = await releasedShop({ stands: ['npm'] });
  commitWorker(shop);
  shop.live.broken.add('/openapi.json');
  const { api, env } = await cloudflare(shop, { exists: true, migrationTag: 'v1', changedSecret: 'METRICS_TOKEN' });
  const { code, output } = await shop.deploy([], undefined, env);
  expect(code, output).toBe(2);
  expect(api.unknown).toEqual([]);
  expect(api.deployments.at(-1)).toEqual({ [OLD]: 100 });
  expect(api.deployments).toHaveLength(2);
});

test('wrangler refuses to upload beside a pending Durable Object migration, so it is deployed at once', async () => {
  const shop = await releasedShop({ stands: ['npm'] });
  commitWorker(shop);
  const { api, env } = await cloudflare(shop, { exists: true, migrationTag: null });
  const { code, output } = await shop.deploy([], undefined, env);
  expect(code, output).toBe(0);
  expect(api.unknown).toEqual([]);
  expect(api.uploads).toEqual([
    expect.objectContaining({ atOnce: true, migrations: expect.objectContaining({ new_tag: 'v1' }) }),
  ]);
});

test('a Worker that was never deployed is known as such', async () => {
  const shop = await releasedShop({ stands: ['npm'] });
  commitWorker(shop);
  const { env } = await cloudflare(shop, { exists: false, migrationTag: null });
  const shell = createShell(shop.folder, process.stdout);
  const asked = { run: (command: readonly string[], options = {}) => shell.run(command, { ...options, env }) };
  expect(await currentVersion(asked, 'production')).toBeNull();
});
