import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';

export interface Branch {
  id: string;
  name: string;
  parent_id: string | null;
}

export interface NeonApi {
  url: string;
  /** As `METHOD path body`, in order; polls of operations are not among them. */
  requests: string[];
  /** What was asked and is not in Neon's API; empty when all is well. */
  faults: string[];
  branches: Branch[];
  /** The next so many changes are answered 423, as while another operation runs. */
  busy: number;
  /** How every operation ends. */
  outcome: 'finished' | 'cancelled' | 'running';
  close(): Promise<void>;
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
/** Fields that a body may have (neon.com/docs/reference/api), of those that we have a use for. */
const BODIES: Record<string, { required: string[]; allowed: string[] }> = {
  branch: { required: [], allowed: ['name', 'parent_id', 'parent_timestamp'] },
  restore: { required: ['source_branch_id'], allowed: ['source_branch_id', 'source_timestamp', 'preserve_under_name'] },
};

/** The four calls of Neon's API that neon-branch.sh makes, as strict as the documentation is. */
export async function startNeonApi(key: string, project: string, root: Branch): Promise<NeonApi> {
  const polls = new Map<string, number>();
  const api: NeonApi = {
    url: '',
    requests: [],
    faults: [],
    branches: [root],
    busy: 0,
    outcome: 'finished',
    close: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const begin = () => {
    const id = `op-${polls.size + 1}`;
    polls.set(id, 0);
    return [{ id, status: 'running', action: 'create_branch' }];
  };

  function poll(id: string): Answer {
    const seen = polls.get(id);
    if (seen === undefined) return [404, { message: 'no such operation' }];
    polls.set(id, seen + 1);
    return [200, { operation: { id, status: seen === 0 ? 'running' : api.outcome } }];
  }

  function create(body: Body): Answer {
    const { branch = {}, endpoints = [], ...rest } = body;
    const wanted = Object(branch) as Record<string, string>;
    check('branch', wanted);
    if (Object.keys(rest).length > 0) api.faults.push(`unknown fields ${Object.keys(rest).join(', ')}`);
    if (endpoints.length > 0 && !isDeepStrictEqual(endpoints, [{ type: 'read_write' }]))
      api.faults.push('odd endpoints');
    const { name = '', parent_id = root.id } = wanted;
    if (!api.branches.some(({ id }) => id === parent_id)) return [404, { message: 'branch not found' }];
    if (api.branches.some((each) => each.name === name)) return [409, { message: 'branch already exists' }];
    const made = { id: `br-${name.toLowerCase()}`, name, parent_id };
    api.branches.push(made);
    const hosts = endpoints.map(() => ({ host: `ep-${name}.eu-central-1.aws.neon.tech` }));
    return [201, { branch: made, endpoints: hosts, operations: begin() }];
  }

  function restore(id: string, body: Body): Answer {
    check('restore', body as Record<string, string>);
    const { source_branch_id, source_timestamp, preserve_under_name } = body as Record<string, string>;
    if (source_branch_id === id && (source_timestamp === undefined || preserve_under_name === undefined)) {
      return [400, { message: 'a restore of a branch from itself needs a time and a name' }];
    }
    const kept = { id: `br-${preserve_under_name?.toLowerCase()}`, name: preserve_under_name ?? '', parent_id: null };
    api.branches = api.branches.map((each) => (each.parent_id === id ? { ...each, parent_id: kept.id } : each));
    api.branches.push(kept);
    return [200, { branch: api.branches.find((each) => each.id === id), operations: begin() }];
  }

  function check(kind: string, body: Record<string, string>): void {
    const { required = [], allowed = [] } = BODIES[kind] ?? {};
    for (const name of Object.keys(body)) if (!allowed.includes(name)) api.faults.push(`unknown field ${name}`);
    for (const name of required) if (!(name in body)) api.faults.push(`no ${name}`);
    for (const [name, value] of Object.entries(body)) {
      if (name.endsWith('_timestamp') && !RFC3339.test(value)) api.faults.push(`${name} is no time`);
    }
  }

  function answer(request: IncomingMessage, text: string): Answer {
    const { method = '', url = '', headers } = request;
    const [, path] = new RegExp(`^/api/v2/projects/${project}(/.*)$`).exec(url) ?? [];
    if (path === undefined) return [404, { message: 'project not found' }];
    if (headers.authorization !== `Bearer ${key}`) return [401, { message: 'authentication failed' }];
    const [, kind = '', id = '', verb] = path.split('/');
    if (method === 'GET' && kind === 'operations') return poll(id);
    api.requests.push(`${method} ${path} ${text}`.trim());
    if (method === 'GET' && path === '/branches') return [200, { branches: api.branches }];
    if (api.busy > 0) {
      api.busy -= 1;
      return [423, { message: 'project already has running operations' }];
    }
    if (text !== '' && headers['content-type'] !== 'application/json') api.faults.push('not application/json');
    if (method === 'POST' && path === '/branches') return create(JSON.parse(text));
    if (method === 'POST' && verb === 'restore') return restore(id, JSON.parse(text));
    if (method === 'DELETE' && kind === 'branches' && verb === undefined) {
      if (api.branches.some((each) => each.parent_id === id)) return [422, { message: 'branch has children' }];
      api.branches = api.branches.filter((each) => each.id !== id);
      return [200, { operations: begin() }];
    }
    api.faults.push(`${method} ${path}`);
    return [405, { message: 'method not allowed' }];
  }

  const server = createServer((request, response) => void respond(request, response, answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2`;
  return api;
}

type Answer = [status: number, body: unknown];
interface Body {
  branch?: unknown;
  endpoints?: unknown[];
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: IncomingMessage, text: string) => Answer,
): Promise<void> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const [status, body] = answer(request, text);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
