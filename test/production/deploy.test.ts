// The deployment's own logic, against command lines that are written down and a deployment that answers over HTTP.
import { expect, test } from 'vitest';
import { readOptions } from '../../deploy/cloudflare/options.ts';
import { EXPAND, releasedShop } from './deploy-fixture.ts';
import { FRESH, OLD } from './deploy-server.ts';

const SECOND = '20260102000000_extend_apples';
const pair = (sql: string) => ({
  [`migrations/${SECOND}.sql`]: sql,
  [`migrations/${SECOND}.down.sql`]: 'select 1;\n',
});
const isDeploying = (line: string) =>
  /^wrangler (deploy |versions|rollback|triggers)/.test(line) || line.endsWith(' up');

test('from nobody to everybody: every command line in its order', async () => {
  const shop = await releasedShop();
  shop.commit({ 'README.md': 'More apples\n' });
  const { code, output } = await shop.deploy();
  expect(code, output).toBe(0);
  const commit = shop.git('rev-parse', 'HEAD').trim();
  const version = `1.4.0+${commit.slice(0, 7)}`;
  const [, time] = /BUILD_TIME:(\S+)/.exec(output) ?? [];
  const split = (specs: string, percent: number) =>
    `wrangler versions deploy ${specs} --env production --message ${percent} % of the traffic --yes`;
  expect(shop.calls()).toEqual([
    'wrangler deployments status --env production --json',
    'npm run --silent verify',
    'npm run --silent doctor -- --env production',
    `wrangler versions upload --env production --tag ${version} --message Commit ${commit.slice(0, 12)} ` +
      `--var SERVICE_VERSION:${version} --var BUILD_TIME:${time}`,
    split(`${FRESH}@0% ${OLD}@100%`, 0),
    split(`${FRESH}@10% ${OLD}@90%`, 10),
    split(`${FRESH}@50% ${OLD}@50%`, 50),
    split(`${FRESH}@100%`, 100),
    'wrangler triggers deploy --env production',
    `npm run --silent doctor -- --env production --url ${shop.live.url}`,
  ]);
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(shop.git('rev-parse', 'release/production').trim()).toBe(commit);
  const smoked = shop.live.seen.filter(({ path }) => path === '/api/v1/carts/c1');
  expect(smoked.map(({ version }) => version)).toEqual([FRESH, FRESH, FRESH, FRESH]);
});

test('--dry-run prints the command lines and runs none', async () => {
  const shop = await releasedShop();
  const { code, output } = await shop.deploy(['--dry-run']);
  expect(code).toBe(0);
  expect(shop.calls()).toEqual([]);
  expect(output).toMatch(/^0 % +wrangler versions deploy <new>@0% <old>@100% --env production/m);
  expect(output).toMatch(/^on any fault +wrangler versions deploy <old>@100% /m);
});

test.each([
  ['verify', 'npm run --silent verify'],
  ['the doctor', 'npm run --silent doctor'],
])('when %s fails nothing is changed', async (_name, line) => {
  const shop = await releasedShop();
  shop.script({ [line]: { exit: 1 } });
  const { code, output } = await shop.deploy();
  expect(code).toBe(1);
  expect(output).toContain('Nothing was deployed.');
  expect(shop.calls().filter(isDeploying)).toEqual([]);
});

test('what no commit holds is not deployed', async () => {
  const shop = await releasedShop();
  shop.git('rm', '--quiet', '--cached', 'package.json');
  const { code, output } = await shop.deploy();
  expect([code, output]).toEqual([1, expect.stringContaining('package.json')]);
  expect(shop.calls()).toEqual([]);
});

test('a rollout of somebody else is not overrun', async () => {
  const shop = await releasedShop();
  shop.setTraffic({ [FRESH]: 10, [OLD]: 90 });
  const { code, output } = await shop.deploy();
  expect([code, output]).toEqual([1, expect.stringContaining('A rollout is not finished')]);
  expect(shop.calls()).toHaveLength(1);
});

test('when no way back works, it says what to do by hand', async () => {
  const shop = await releasedShop();
  shop.live.broken.add('/openapi.json');
  shop.script({ [`wrangler versions deploy ${OLD}`]: { exit: 1 }, 'wrangler rollback': { exit: 1 } });
  const { code, output } = await shop.deploy();
  expect(code).toBe(3);
  expect(output).toContain(`Not rolled back. By hand, now: npx wrangler rollback ${OLD}`);
});

test('a new version that fails its smoke test never gets a shopper', async () => {
  const shop = await releasedShop();
  shop.live.broken.add('/api/v1/carts');
  const { code, output } = await shop.deploy();
  expect(code).toBe(2);
  expect(output).toMatch(/^cart +FAIL +500, not 201$/m);
  expect(shop.traffic()).toEqual({ [OLD]: 100 });
  expect(shop.calls().some((line) => line.includes('@10%'))).toBe(false);
});

test('a version that is not the one that was uploaded fails the smoke test', async () => {
  const shop = await releasedShop();
  shop.live.broken.add('/health');
  const { code, output } = await shop.deploy();
  expect([code, shop.traffic()]).toEqual([2, { [OLD]: 100 }]);
  expect(output).toMatch(/^health +FAIL +500, not 200, not 1\.4\.0\+/m);
});

test('failed requests of the new version roll it back, also when they are few among all', async () => {
  const shop = await releasedShop();
  shop.live.failing = { old: 0.02, fresh: 0.04 };
  const { code, output } = await shop.deploy(['--stages', '10,100']);
  expect(code).toBe(2);
  expect(output).toContain("2.0 % of the new version's requests fail: more than 1 %.");
  expect(shop.traffic()).toEqual({ [OLD]: 100 });
});

test('failures that were there before do not stop what may mend them', async () => {
  const shop = await releasedShop();
  shop.live.failing = { old: 0.02, fresh: 0.02 };
  expect((await shop.deploy()).code).toBe(0);
  expect(shop.traffic()).toEqual({ [FRESH]: 100 });
});

test('a command that fails midway is rolled back, by force where a plain way back is refused', async () => {
  const shop = await releasedShop();
  shop.script({
    [`wrangler versions deploy ${FRESH}@50%`]: { exit: 1, says: 'the API is away' },
    [`wrangler versions deploy ${OLD}@100%`]: { exit: 1, says: 'a secret was changed' },
  });
  const { code, output } = await shop.deploy();
  expect(code).toBe(2);
  expect(output).toContain('The traffic could not be shifted to 50 %:\nthe API is away');
  expect(shop.calls().at(-1)).toBe(`wrangler rollback ${OLD} --env production --message Rolled back --yes`);
  expect(shop.traffic()).toEqual({ [OLD]: 100 });
});

test('an upload that fails changes nothing', async () => {
  const shop = await releasedShop();
  shop.script({ 'wrangler versions upload': { exit: 1, says: 'too large' } });
  const { code, output } = await shop.deploy();
  expect([code, shop.traffic()]).toEqual([1, { [OLD]: 100 }]);
  expect(output).toContain('too large');
});

test('Ctrl-C in the rollout finishes the command under way and rolls back', async () => {
  const shop = await releasedShop();
  const { code, output } = await shop.deploy(['--pause', '60'], async (pid, said) => {
    while (!said().includes('Watching 10 %')) await new Promise((resolve) => setTimeout(resolve, 20));
    // As under npm, which passes on what the terminal has sent already.
    process.kill(pid, 'SIGINT');
    while (!said().includes('SIGINT')) await new Promise((resolve) => setTimeout(resolve, 20));
    try {
      process.kill(pid, 'SIGINT');
    } catch (error) {
      // The way back may be over by then.
      expect(error).toMatchObject({ code: 'ESRCH' });
    }
  });
  expect(code).toBe(2);
  expect(output).toContain('Interrupted by SIGINT.');
  expect(shop.traffic()).toEqual({ [OLD]: 100 });
});

test('Ctrl-C while it is verified ends that and changes nothing', async () => {
  const shop = await releasedShop();
  shop.script({ 'npm run --silent verify': { delayMs: 60_000 } });
  const { code, output } = await shop.deploy([], async (pid) => {
    while (!shop.calls().includes('npm run --silent verify')) await new Promise((resolve) => setTimeout(resolve, 20));
    process.kill(pid, 'SIGINT');
  });
  expect(code).toBe(1);
  expect(output).toContain('Nothing was deployed.');
  expect(shop.calls().filter(isDeploying)).toEqual([]);
});

test('with a Durable Object migration pending it is deployed at once, and is no more taken back', async () => {
  const shop = await releasedShop();
  const refusal =
    'This Worker has a pending Durable Object migration, which cannot be applied by `wrangler versions upload`.';
  shop.script({ 'wrangler versions upload': { exit: 1, says: refusal } });
  expect((await shop.deploy()).code).toBe(0);
  expect(shop.traffic()).toEqual({ [FRESH]: 100 });
  expect(shop.calls().filter((line) => line.startsWith('wrangler versions deploy'))).toEqual([]);
  shop.live.broken.add('/api/v1/products');
  const { code, output } = await shop.deploy();
  expect(code).toBe(3);
  expect(output).toContain('does not go back across a Durable Object migration');
});

test('the first deployment serves everybody at once', async () => {
  const shop = await releasedShop({ isFirst: true });
  const { code, output } = await shop.deploy();
  expect(code, output).toBe(0);
  expect(shop.calls().filter(isDeploying)).toEqual([
    'npm run --silent migrate -- up',
    expect.stringMatching(/^wrangler deploy --env production --tag 1\.4\.0\+/),
    'wrangler triggers deploy --env production',
  ]);
});

test('an empty Worker that setting secrets made is not asked for its metrics when told so', async () => {
  const shop = await releasedShop({ isFirst: true });
  shop.setTraffic({ [OLD]: 100 });
  shop.script({});
  shop.live.closed = true;
  const { output } = await shop.deploy();
  expect(output).toContain(
    'The error rate cannot be seen: /metrics answered 404. Does nothing serve there yet? --first',
  );
  expect((await shop.deploy(['--first'])).code).toBe(0);
  expect(shop.traffic()).toEqual({ [FRESH]: 100 });
});

test('--first is refused where a shop answers, before anything was changed', async () => {
  const shop = await releasedShop();
  const { code, output } = await shop.deploy(['--first']);
  expect([code, shop.traffic()]).toEqual([1, { [OLD]: 100 }]);
  expect(output).toMatch(/serves \S+: this is not the first deployment, leave --first out/);
  expect(shop.calls().filter(isDeploying)).toEqual([]);
});

test('what is released but not complete says so', async () => {
  const shop = await releasedShop();
  shop.script({ 'wrangler triggers': { exit: 1 } });
  const { code, output } = await shop.deploy();
  expect([code, shop.traffic()]).toEqual([3, { [FRESH]: 100 }]);
  expect(output).toContain('The version is released, but this failed: wrangler triggers deploy --env production');
});

test('pending migrations run after the tests of what runs now, which is then watched alone', async () => {
  const shop = await releasedShop();
  shop.commit(pair('alter table apples add column weight int;\n'));
  const { code, output } = await shop.deploy();
  expect(code, output).toBe(0);
  const calls = shop.calls();
  const order = [
    'npm run --silent test:previous -- release/production',
    'npm run --silent migrate -- up',
    'wrangler versions upload',
  ];
  const places = order.map((start) => calls.findIndex((line) => line.startsWith(start)));
  expect(places).toEqual([3, 4, 5]);
  expect(output).toContain('Watching 0 %');
});

test('a migration that takes away what runs now is refused, and so is one that fails its tests', async () => {
  const shop = await releasedShop();
  shop.commit(pair('alter table apples drop column color;\n'));
  const { code, output } = await shop.deploy();
  expect(code).toBe(1);
  expect(output).toMatch(
    new RegExp(`^${SECOND}.sql:1 +alter table apples drop column color +the column of apples`, 'm'),
  );
  expect(shop.calls().filter(isDeploying)).toEqual([]);
  shop.commit(
    pair(`-- contract of ${EXPAND}: color is read from pears since 1.3\nalter table apples drop column color;\n`),
  );
  shop.script({ 'npm run --silent test:previous': { exit: 1 } });
  const second = await shop.deploy();
  expect([second.code, second.output]).toEqual([
    1,
    expect.stringContaining('The tests of release/production fail on the new schema.'),
  ]);
  expect(shop.calls().filter(isDeploying)).toEqual([]);
});

test('without the tag of what runs there, pending migrations are refused', async () => {
  const shop = await releasedShop();
  shop.git('tag', '--delete', 'release/production');
  shop.commit(pair('alter table apples add column weight int;\n'));
  const { code, output } = await shop.deploy();
  expect([code, output]).toEqual([1, expect.stringContaining('git fetch --tags')]);
});

test.each([
  [['--env', 'prod'], '--env must be'],
  [['--url', 'http://shop.example'], '--url must be https'],
  [['--url', 'https://shop.example/api'], '--url must be https'],
  [['--stages', '50,10,100'], '--stages must grow'],
  [['--stages', '10,50'], 'end in 100'],
  [['--threshold', '1'], '--threshold'],
  [['--pause', 'soon'], '--pause'],
  [['--env-file', 'nowhere.env'], 'nowhere.env'],
  [['--skip-verify'], 'skip-verify'],
])('%j is refused', (args, message) => {
  const given = ['--env', 'production', '--url', 'https://shop.example'];
  expect(readOptions(given, {})).toMatchObject({ stages: [10, 50, 100], previous: 'release/production' });
  expect(() => readOptions([...given, ...args], {})).toThrow(message);
});
