import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { buildImageTree, ENTRYPOINT } from '../../deploy/image/build.ts';
import { run } from '../observability/programs.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buy } from './main-job.ts';
import { onReplica, startReplica, type Replica } from './replica.ts';

const DOCKERFILE = readFileSync(join(import.meta.dirname, '../../deploy/Dockerfile'), 'utf8');
const USER = '10001';
const isRoot = process.getuid?.() === 0 && process.platform === 'linux';
/** Of the Dockerfile: what the base image has and the tree is run with. */
const FROM_BASE = ['/usr/bin/setpriv'];

let root: string;
let stack: Stack;
let replica: Replica;

/** The libraries a program is linked with, as ldd finds them; in the image the base brings them. */
function librariesOf(program: string): string[] {
  return [...run('ldd', [program]).matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, file = '']) => file);
}

function copyIn(file: string): void {
  const target = join(root, file);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(file, target);
}

/** Commands for the inside of a container: read-only but for the two volumes, no rights, no other user's processes. */
function container(command: string[]): string[] {
  const script = `
    mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"
    mount -t tmpfs -o mode=1777 tmp "$0/tmp"
    mount -t tmpfs -o uid=${USER},gid=${USER},mode=700 state "$0/var/lib/ecommerce-api"
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec chroot --userspec=${USER}:${USER} "$0" "$@"`;
  return ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', script, root, ...command];
}

/** The supervisor, as the outside counts processes. */
function processIn({ child }: Replica): number {
  const [pid] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
  return Number(pid);
}

const inside = (program: string): ReturnType<typeof spawnSync> => {
  const [name = '', ...args] = container(['/app/bin/node', '-e', program]);
  return spawnSync(name, args, { encoding: 'utf8' });
};

beforeAll(async () => {
  if (!isRoot) return;
  root = mkdtempSync(join(tmpdir(), 'image-'));
  buildImageTree(root, inject('shared').workerDir);
  const programs = ['node', 'workerd'].map((name) => join(root, 'app/bin', name));
  for (const file of [...programs, ...FROM_BASE].flatMap(librariesOf)) copyIn(file);
  for (const file of FROM_BASE) copyIn(file);
  for (const name of ['tmp', 'proc', 'dev']) mkdirSync(join(root, name), { recursive: true });
  execFileSync('chmod', ['755', root]);
  stack = await startStack();
  const stateDir = '/var/lib/ecommerce-api';
  const env = { ...stack.bindings, BUNDLE_DIR: '/app/bundle', TMPDIR: '/tmp', SERVICE_VERSION: '9.9.9' };
  replica = await startReplica({ env, stateDir, command: container(ENTRYPOINT) });
}, 180_000);
afterAll(async () => {
  await replica?.close();
  await stack?.close();
  if (isRoot) rmSync(root, { recursive: true });
});

describe.skipIf(!isRoot)('the tree of the image, with the entrypoint in a container of its own', () => {
  test('serves the main job as a user without rights, on a root that nothing can write to', async () => {
    expect((await buy(onReplica(stack, replica), 'grace')).status).toBe('confirmed');
    const health = await (await fetch(`${replica.url}/health`)).json();
    expect(health).toMatchObject({ version: '9.9.9', status: 'ok' });
    const status = readFileSync(`/proc/${processIn(replica)}/status`, 'utf8');
    expect(status).toMatch(new RegExp(`^Uid:\\t${USER}\\t${USER}\\t${USER}\\t${USER}$`, 'm'));
    expect(status).toMatch(/^CapEff:\t0+$/m);
    const said = inside(`
      const fs = require('node:fs');
      const refused = (path) => { try { fs.writeFileSync(path, ''); return 'written'; } catch (e) { return e.code; } };
      console.log(process.getuid(), refused('/app/x'), refused('/x'), refused('/tmp/x'), fs.existsSync('/app/node_modules/npm'));`);
    expect(said.stdout).toBe(`${USER} EROFS EROFS written false\n`);
  });

  test("answers the Dockerfile's health check", () => {
    const [, check = '[]'] = /HEALTHCHECK[^[]*CMD (\[.*\])/.exec(DOCKERFILE) ?? [];
    const [program = '', ...args] = (JSON.parse(check) as string[]).map((part) => join(root, part));
    const ask = (port: number) => spawnSync(program, args, { env: { PORT: String(port) } }).status;
    expect([ask(replica.port), ask(1)]).toEqual([0, 1]);
  });

  test('holds nothing but node, workerd, our own programs, the bundle and the files', () => {
    const list = (folder: string) =>
      run('ls', [join(root, folder)])
        .trim()
        .split('\n');
    expect(list('app')).toEqual(['LICENSE', 'bin', 'bundle', 'deploy', 'dist', 'node_modules', 'package.json', 'src']);
    expect(list('app/node_modules')).toEqual(['zod']);
    expect(list('app/bundle')).toEqual(['index.js']);
    expect(list('app/src')).toEqual(['platform']);
    expect(existsSync(join(root, 'app/dist/assets/openapi.json'))).toBe(true);
    const { sizeMiB, limitMiB } = {
      sizeMiB: Number(run('du', ['-sm', join(root, 'app')]).split('\t')[0]),
      limitMiB: 280,
    };
    console.log(`image tree: ${sizeMiB} MiB`);
    expect(sizeMiB).toBeLessThan(limitMiB);
  });

  test('ends well on SIGTERM, though it is process 1', async () => {
    process.kill(processIn(replica), 'SIGTERM');
    expect(await replica.ended).toBe(0);
    expect(replica.logs().at(-1)).toMatchObject({ msg: 'drained', in_flight: 0 });
  });
});

describe('the Dockerfile', () => {
  test('runs what is run here, as that user, with the health check of the guide', () => {
    expect(DOCKERFILE).toContain(`ENTRYPOINT ${JSON.stringify(ENTRYPOINT).replaceAll('","', '", "')}`);
    expect(DOCKERFILE).toContain(`USER ${USER}:${USER}\n`);
    expect(DOCKERFILE).toContain('HEALTHCHECK --interval=30s --timeout=10s --start-period=5s --retries=3 ');
    expect(DOCKERFILE).toMatch(/RUN \S+ deploy\/image\/build\.ts \/tree\n/);
    expect(DOCKERFILE).toMatch(
      /ARG VERSION=[^]*ARG BUILD_TIME=[^]*SERVICE_VERSION=\$VERSION[^]*BUILD_TIME=\$BUILD_TIME/,
    );
  });
});
