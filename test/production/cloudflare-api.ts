import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { FRESH, OLD } from './deploy-server.ts';

interface Traffic {
  version_id: string;
  percentage: number;
}

interface Metadata {
  bindings: { name: string; type: string; text?: string }[];
  annotations?: Record<string, string>;
  migrations?: unknown;
  keep_bindings?: string[];
}

export interface CloudflareApi {
  /** For CLOUDFLARE_API_BASE_URL. */
  url: string;
  /** What serves after each deployment that was made. */
  deployments: Record<string, number>[];
  /** Metadata of each uploaded version, and whether it was to serve at once. */
  uploads: (Metadata & { atOnce: boolean })[];
  schedules: string[];
  /** Requests that nobody here answers: none, or wrangler asks for something new. */
  unknown: string[];
}

export interface Account {
  /** Whether the Worker was ever deployed. */
  exists: boolean;
  /** Of the newest Durable Object migration that is applied. */
  migrationTag: string | null;
  /** Since the old version a secret was changed: who goes back has to insist. */
  changedSecret?: string;
}

type Reply = { result: unknown; status?: number; errors?: { code: number; message: string }[] };

const DAY = '2026-11-22T00:00:00.000Z';
const SUBDOMAIN = { subdomain: 'shop', enabled: true, previews_enabled: false };

/** As much of Cloudflare's API as wrangler asks for a Worker, kept in `stateFile` for who plays the deployment. */
export async function startCloudflareApi(stateFile: string, account: Account): Promise<CloudflareApi> {
  const api: CloudflareApi = { url: '', deployments: [], uploads: [], schedules: [], unknown: [] };
  const state = {
    versions: account.exists ? [{ version_id: OLD, percentage: 100 }] : [],
    variables: {} as Record<string, string>,
  };
  const save = () => writeFileSync(stateFile, JSON.stringify(state));
  const upload = (metadata: Metadata, atOnce: boolean): void => {
    api.uploads.push({ ...metadata, atOnce });
    const texts = metadata.bindings.filter(({ type }) => type === 'plain_text');
    state.variables = Object.fromEntries(texts.map(({ name, text = '' }) => [name, text]));
    if (atOnce) serve([{ version_id: FRESH, percentage: 100 }]);
    save();
  };
  const serve = (versions: Traffic[]): void => {
    state.versions = versions;
    api.deployments.push(Object.fromEntries(versions.map(({ version_id, percentage }) => [version_id, percentage])));
    save();
  };
  const routes: Record<string, (request: IncomingMessage, body: Body) => Reply> = {
    'GET /workers/services/edge-commerce': () =>
      account.exists
        ? { result: { default_environment: { environment: 'production', script: script(account) } } }
        : missing(),
    'GET /workers/scripts/edge-commerce/deployments': () =>
      account.exists ? { result: { deployments: [deployment(state.versions)] } } : missing(),
    'POST /workers/scripts/edge-commerce/deployments': (request, { json }) => {
      const { versions } = json() as { versions: Traffic[] };
      const isBack = versions.length === 1 && versions[0]?.version_id === OLD;
      if (isBack && account.changedSecret !== undefined && !request.url?.includes('force=true')) {
        const message = `The following secrets have changed: ${account.changedSecret}`;
        return { result: null, status: 400, errors: [{ code: 10220, message }] };
      }
      serve(versions);
      return { result: { id: 'd1' } };
    },
    'GET /workers/scripts/edge-commerce/versions': () => ({ result: { items: [version(OLD), version(FRESH)] } }),
    [`GET /workers/scripts/edge-commerce/versions/${OLD}`]: () => ({ result: version(OLD) }),
    [`GET /workers/scripts/edge-commerce/versions/${FRESH}`]: () => ({ result: version(FRESH) }),
    'POST /workers/scripts/edge-commerce/versions': (_request, { metadata }) => {
      upload(metadata(), false);
      return { result: { id: FRESH, startup_time_ms: 20, metadata: { has_preview: false } } };
    },
    'PUT /workers/scripts/edge-commerce': (_request, { metadata }) => {
      upload(metadata(), true);
      account.exists = true;
      return {
        result: { id: 'edge-commerce', deployment_id: FRESH, startup_time_ms: 20, available_on_subdomain: true },
      };
    },
    'POST /workers/scripts/edge-commerce/assets-upload-session': () => ({ result: { jwt: 'assets', buckets: [] } }),
    'PATCH /workers/scripts/edge-commerce/script-settings': () => ({ result: { observability: { enabled: true } } }),
    'GET /workers/scripts/edge-commerce/settings': () => ({ result: { bindings: [] } }),
    'GET /workers/scripts/edge-commerce/secrets': () => ({ result: [] }),
    'GET /workers/workers/edge-commerce': () => ({ result: { name: 'edge-commerce', subdomain: SUBDOMAIN } }),
    'GET /workers/scripts/edge-commerce/subdomain': () => ({ result: SUBDOMAIN }),
    'POST /workers/scripts/edge-commerce/subdomain': () => ({ result: SUBDOMAIN }),
    'GET /workers/subdomain': () => ({ result: { subdomain: 'shop' } }),
    'PUT /workers/scripts/edge-commerce/schedules': (_request, { json }) => {
      api.schedules = (json() as { cron: string }[]).map(({ cron }) => cron);
      return { result: {} };
    },
  };
  save();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = new URL(request.url ?? '/', 'http://api').pathname.replace('/accounts/account-1', '');
      const route = routes[`${request.method} ${path}`];
      if (route === undefined) api.unknown.push(`${request.method} ${request.url}`);
      const { result, status = 200, errors = [] } = route?.(request, bodyOf(chunks)) ?? missing();
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ success: errors.length === 0, errors, messages: [], result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  api.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return api;
}

interface Body {
  json: () => unknown;
  /** The part of that name of a multipart form. */
  metadata: () => Metadata;
}

function bodyOf(chunks: Buffer[]): Body {
  const text = () => Buffer.concat(chunks).toString('utf8');
  return {
    json: () => JSON.parse(text()) as unknown,
    metadata: () => {
      const [, part = ''] = /name="metadata"\r\n(?:[^\r]+\r\n)*\r\n([^\r]*)\r\n/.exec(text()) ?? [];
      return JSON.parse(part) as Metadata;
    },
  };
}

function missing(): Reply {
  const errors = [{ code: 10007, message: 'This Worker does not exist on your account.' }];
  return { result: null, status: 404, errors };
}

function script({ migrationTag }: Account) {
  return {
    tag: 't1',
    tags: null,
    last_deployed_from: 'wrangler',
    ...(migrationTag !== null && { migration_tag: migrationTag }),
  };
}

function deployment(versions: Traffic[]) {
  return { id: 'd0', source: 'wrangler', strategy: 'percentage', author_email: 'a@b.test', created_on: DAY, versions };
}

function version(id: string) {
  return {
    id,
    number: 1,
    metadata: { created_on: DAY, modified_on: DAY, source: 'wrangler', author_email: 'a@b.test' },
    annotations: {},
    resources: { bindings: [], script: { handlers: ['fetch'] }, script_runtime: {} },
  };
}
