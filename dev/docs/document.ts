import { readFileSync } from 'node:fs';
import { createApp } from '../../src/app.ts';
import { buildOpenApi } from '../../src/platform/http/openapi.ts';

const DESCRIPTION = `A headless commerce API. Money is an integer in minor units, times are RFC 3339 in UTC, lists are
\`{ data, has_more, next_cursor }\`. Refusals are RFC 9457 problems; switch on \`code\`.`;

/** The OpenAPI 3.1 document of the Worker as its source is now. */
export function apiDocument(): Record<string, unknown> {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return buildOpenApi(createApp().routes, {
    title: 'Commerce API',
    version: manifest.version,
    description: DESCRIPTION.replaceAll('\n', ' '),
  });
}
