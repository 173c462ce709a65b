/** What a test makes the provider do to the requests that match; `*` in `path` stands for one segment. */
export interface Script {
  match: { method?: string; path?: string; idempotency_key?: string };
  /** Waits before it acts, with the idempotency key held. */
  delay_ms?: number;
  /** Acts, stores the reply, then cuts the connection. */
  lose_reply?: boolean;
  /** Acts, then answers a 500, which the key repeats from then on: so does Stripe. */
  keep_error?: boolean;
  /** Answers this instead of acting; with `keep_error` the key repeats it. */
  status?: number;
  body?: unknown;
  /** 1 when absent. */
  times?: number;
}

export interface ScriptedRequest {
  method: string;
  path: string;
  key: string | undefined;
}

/** Takes the first script that matches, and uses up one of its times. */
export function takeScript(scripts: Script[], request: ScriptedRequest): Script | undefined {
  const index = scripts.findIndex(({ match }) => {
    if (match.method !== undefined && match.method.toUpperCase() !== request.method) return false;
    if (match.idempotency_key !== undefined && match.idempotency_key !== request.key) return false;
    return match.path === undefined || pathMatches(match.path, request.path);
  });
  const script = scripts[index];
  if (script === undefined) return undefined;
  const left = (script.times ?? 1) - 1;
  if (left > 0) scripts[index] = { ...script, times: left };
  else scripts.splice(index, 1);
  return script;
}

function pathMatches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  return wanted.length === given.length && wanted.every((part, index) => part === '*' || part === given[index]);
}
