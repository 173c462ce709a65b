import * as z from 'zod';

/** What a path segment may name a provider. */
export const PROVIDER_NAME = /^[a-z0-9-]{1,32}$/;
const PROVIDERS_MAX = 20;

const httpUrl = z.url({ protocol: /^https?$/ });

/** An issuer has neither query nor fragment (OpenID Connect Discovery 1.0, 2). */
const Provider = z.strictObject({
  issuer: httpUrl.max(500).refine((issuer) => !/[?#]/.test(issuer)),
  client_id: z.string().min(1).max(500),
  /** Without one the client is public, and PKCE alone ties the code to it. */
  client_secret: z.string().min(1).max(500).optional(),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/))
    .max(20)
    .default(['email', 'profile']),
});

/** One identity provider as it is configured. */
export type OidcProvider = z.output<typeof Provider>;

const Providers = z
  .record(z.string().regex(PROVIDER_NAME), Provider)
  .refine((providers) => Object.keys(providers).length <= PROVIDERS_MAX);

/** The text may hold secrets, so a fault names members of the shape and nothing of what was given. */
function parseProviders(text: string, context: z.core.$RefinementCtx): ReadonlyMap<string, OidcProvider> {
  const result = Providers.safeParse(parseJson(text));
  if (result.success) return new Map(Object.entries(result.data));
  const member = result.error.issues[0]?.path.find((step) => Object.hasOwn(Provider.shape, step));
  context.addIssue(
    member === undefined
      ? 'must be a JSON object of { issuer, client_id, client_secret?, scopes? } by names of a-z, 0-9 and -'
      : `has a provider whose ${String(member)} is not valid`,
  );
  return z.NEVER;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `{"name": {"issuer": "https://...", "client_id": "...", "client_secret": "...", "scopes": ["email"]}}` */
export const oidcProviders = z.string().default('{}').transform(parseProviders);

/** Where a browser may be sent after it was at a provider: exact addresses, separated by commas. */
export const redirectUris = z
  .string()
  .default('')
  .transform((value) => value.split(',').flatMap((uri) => uri.trim() || []))
  .pipe(
    z.array(
      httpUrl.max(500).refine((uri) => !uri.includes('#'), 'must list addresses without a fragment (RFC 6749, 3.1.2)'),
    ),
  );

/** Whether one of the issuers, of a binding that may be wrong otherwise, is spoken to in the clear. */
export function hasPlainIssuer(text: unknown): boolean {
  const given = z.record(z.string(), z.looseObject({ issuer: z.string() })).safeParse(parseJson(String(text)));
  return given.success && Object.values(given.data).some(({ issuer }) => /^http:/i.test(issuer.trim()));
}
