import * as z from 'zod';

const OTLP_PATH = '/v1/traces';
const GRPC_PORT = '4317';
const JAEGER_THRIFT = /^\/api\/traces\/?$/;
const JAEGER_THRIFT_PORT = '14268';
const HTTP_TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

function speaksOtlpOverHttp(text: string): boolean {
  const url = new URL(text);
  return url.port !== GRPC_PORT && url.port !== JAEGER_THRIFT_PORT && !JAEGER_THRIFT.test(url.pathname);
}

/** The signal's path is appended to a base address, as OTEL_EXPORTER_OTLP_ENDPOINT has it; a full one is kept. */
function toTracesUrl(text: string): string {
  const url = new URL(text);
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith(OTLP_PATH) ? path : `${path}${OTLP_PATH}`;
  return url.href;
}

const OTHER_PROTOCOL = 'must take OTLP over HTTP, as port 4318 does: http://<host>:4318/v1/traces';
/** As gRPC exporters are told where to send: host and port alone. */
const HOST_AND_OTHER_PORT = /^[\w.-]+:(?:4317|14268)$/;

/** Where traces are sent: OTLP over HTTP. Jaeger's Thrift port and the gRPC port are refused with the right one named. */
export const otlpEndpoint = z
  .url({
    protocol: /^https?$/,
    error: ({ input }) => (HOST_AND_OTHER_PORT.test(String(input)) ? OTHER_PROTOCOL : 'must be an http(s) URL'),
    abort: true,
  })
  .refine(speaksOtlpOverHttp, OTHER_PROTOCOL)
  .transform(toTracesUrl);

function parseHeaders(text: string, context: z.core.$RefinementCtx): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',')) {
    if (pair.trim() === '') continue;
    const [name = '', ...value] = pair.split('=');
    const decoded = decode(value.join('=').trim());
    if (value.length === 0 || !HTTP_TOKEN.test(name.trim()) || decoded === null) {
      context.addIssue('must be name=value pairs, separated by commas, values percent-encoded');
      return z.NEVER;
    }
    headers[name.trim().toLowerCase()] = decoded;
  }
  return headers;
}

function decode(text: string): string | null {
  try {
    const value = decodeURIComponent(text);
    return /^[\t\x20-\x7e]*$/.test(value) ? value : null;
  } catch {
    return null;
  }
}

/** `k=v,k2=v2` with percent-encoded values, as OTEL_EXPORTER_OTLP_HEADERS has it. */
export const otlpHeaders = z.string().default('').transform(parseHeaders);

/** Exact hosts, with the port where it is not the scheme's own. */
export const exactHosts = z
  .string()
  .default('')
  .transform((value) => value.split(',').flatMap((host) => host.trim().toLowerCase() || []))
  .pipe(z.array(z.string().regex(/^[a-z0-9.-]+(:\d{1,5})?$/, 'must list exact hosts, separated by commas')));
