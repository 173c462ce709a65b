import type { Deps } from '../../../platform/deps.ts';
import { AppError } from '../../../platform/errors.ts';
import { tracedFetch } from '../../../platform/telemetry/trace/steps.ts';

/** The keys of the largest providers are some 30 KiB with their certificates. */
const BODY_BYTES_MAX = 256 * 1024;

/** No answer that could be believed or refused: the network, a 5xx, or more than a provider has to say. */
export class ProviderSilent extends Error {
  override readonly name = 'ProviderSilent';
}

async function readBounded(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array<ArrayBuffer>[]> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  if (body === null) return chunks;
  let left = BODY_BYTES_MAX;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    left -= value.byteLength;
    if (left < 0) {
      await reader.cancel();
      throw new ProviderSilent('the reply is too large');
    }
    chunks.push(new Uint8Array(value));
  }
}

/** How the protocol library calls a fetch that it is given. */
interface Init {
  method: string;
  headers: Record<string, string>;
  body?: URLSearchParams | undefined;
  redirect: 'manual';
  signal?: AbortSignal;
}

/** What the protocol library calls instead of fetch: counted, traced, and read to its end within bounds. */
export function providerFetch({ trips }: Deps) {
  return async (url: string, { body, ...init }: Init): Promise<Response> => {
    trips.provider += 1;
    try {
      const response = await tracedFetch(url, { ...init, ...(body && { body }) });
      const chunks = await readBounded(response.body);
      if (response.status >= 500) throw new ProviderSilent(`HTTP ${response.status}`);
      const { status, headers } = response;
      return new Response(chunks.length === 0 ? null : new Blob(chunks), { status, headers });
    } catch (error) {
      throw error instanceof ProviderSilent ? error : new ProviderSilent('no answer', { cause: error });
    }
  };
}

export function unavailable(cause: unknown): AppError {
  return new AppError('dependency_unavailable', 'The identity provider does not answer. Try again shortly.', {
    cause,
    retryAfterS: 5,
  });
}

/**
 * One text for whatever is wrong with a sign-in, so that nobody learns which check refused it. The library's messages
 * name claims and never values; its causes hold tokens and are left out.
 */
export function refused(cause?: unknown): AppError {
  return new AppError('unauthenticated', 'This sign-in is not valid any more. Start again.', {
    param: 'state',
    ...(cause instanceof Error && { cause: new Error(cause.message) }),
  });
}
