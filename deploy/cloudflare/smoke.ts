import * as z from 'zod';
import type { Release, VersionId } from './commands.ts';

export interface Check {
  name: string;
  isOk: boolean;
  seen: string;
}

export interface SmokeTarget {
  url: string;
  /** The Worker's name, and the version that is to answer; absent: the one that serves everybody. */
  override?: { worker: string; version: VersionId };
  release: Release;
  /** Seconds that a new deployment may take to be known in all places. */
  settleS: number;
}

const TIMEOUT_MS = 10_000;
const RETRY_MS = 1_000;

const Health = z.object({ status: z.string(), version: z.string(), build_time: z.string().nullish() });
const Products = z.object({ data: z.array(z.unknown()) });
const Document = z.object({ openapi: z.string().startsWith('3.') });
const Cart = z.object({ id: z.string() });
const Problem = z.object({ code: z.string() });

/**
 * A shopper's first steps against one version: it is the one that was built, knows its parts, lists products, tells its
 * contract, starts and shows a cart, keeps its counts to itself, and refuses in the agreed form.
 */
export async function smokeTest(target: SmokeTarget): Promise<Check[]> {
  const ask = askerOf(target);
  const first = await versionCheck(target, ask);
  if (!first.isOk) return [first];
  const checks: Check[] = [
    first,
    await check('products', () => ask('/api/v1/products?limit=1'), 200, Products),
    await check('openapi', () => ask('/openapi.json'), 200, Document),
    await check('metrics are closed', () => ask('/metrics'), 401, Problem),
    await check('unknown paths', () => ask('/api/v1/nothing-is-here'), 404, Problem),
  ];
  let cart = '';
  const created = await check(
    'cart',
    () => ask('/api/v1/carts', {}),
    201,
    Cart,
    ({ id }) => (cart = id),
  );
  checks.push(created);
  if (created.isOk) checks.push(await check('cart again', () => ask(`/api/v1/carts/${cart}`), 200, Cart));
  return checks;
}

/** What /health says is there, whether it is well or not; null where nothing of ours answers. */
export async function servedVersion(url: string): Promise<string | null> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return Health.parse(await response.json()).version;
  } catch {
    return null;
  }
}

type Ask = (path: string, body?: object) => Promise<Response>;

/** The header reaches a version only while the deployment holds it, at whatever percentage. */
function askerOf({ url, override }: SmokeTarget): Ask {
  const header =
    override === undefined
      ? {}
      : { 'cloudflare-workers-version-overrides': `${override.worker}="${override.version}"` };
  return (path, body) =>
    fetch(url + path, {
      headers: { ...header, ...(body !== undefined && { 'content-type': 'application/json' }) },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    });
}

async function versionCheck({ release, settleS }: SmokeTarget, ask: Ask): Promise<Check> {
  const deadline = Date.now() + settleS * 1_000;
  for (;;) {
    let isNew = false;
    const result = await check(
      'health',
      () => ask('/health'),
      200,
      Health,
      (health) => {
        isNew = health.version === release.version && [null, undefined, release.buildTime].includes(health.build_time);
      },
    );
    if (isNew) return { ...result, seen: `${result.seen}, ${release.version}` };
    if (Date.now() > deadline) return { ...result, isOk: false, seen: `${result.seen}, not ${release.version}` };
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function check<Body>(
  name: string,
  ask: () => Promise<Response>,
  status: number,
  schema: z.ZodType<Body>,
  read: (body: Body) => void = () => undefined,
): Promise<Check> {
  try {
    const response = await ask();
    const body = schema.safeParse(await response.json().catch(() => null));
    if (response.status !== status) return { name, isOk: false, seen: `${response.status}, not ${status}` };
    if (!body.success) return { name, isOk: false, seen: `${status}, but not the agreed body` };
    read(body.data);
    return { name, isOk: true, seen: String(status) };
  } catch (error) {
    return { name, isOk: false, seen: error instanceof Error ? error.message : String(error) };
  }
}
