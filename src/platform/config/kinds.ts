import * as z from 'zod';

// What the table of variables cannot read off a schema stands in its meta: the unit of a number, the form of a text, and
// whether the value is a secret, which is set by `wrangler secret put` and shown by nothing.

/** Of the guide and of many an example: a secret that is written somewhere is none. */
const PLACEHOLDER =
  /generate-(?:strong-random|another-strong-random)|your-|change-?me|example|placeholder|secret-?key/i;
const DISTINCT_MIN = 12;

export const secret = z
  .string()
  .min(32, { error: 'must have at least 32 characters', abort: true })
  .refine((value) => new Set(value).size >= DISTINCT_MIN, {
    error: `must have at least ${DISTINCT_MIN} different characters`,
    abort: true,
  })
  .refine((value) => !PLACEHOLDER.test(value), 'must not be a placeholder')
  .meta({ isSecret: true });

/** What another service gave out; `min` characters long. */
export const token = (min: number) =>
  z
    .string()
    .min(min, min > 1 ? `must have at least ${min} characters` : 'must not be empty')
    .meta({ isSecret: true });

/** What lets in whoever has it, and is made by hand: `openssl rand -hex 32`. */
export const password = () =>
  z
    .string()
    .min(16, { error: 'must have at least 16 characters', abort: true })
    .refine((value) => !PLACEHOLDER.test(value), 'must not be a placeholder')
    .meta({ isSecret: true });

export const text = (min: number, max: number) => z.string().min(min).max(max);

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
export const seconds = (min: number, max: number) => whole(min, max).meta({ unit: 's' });
export const milliseconds = (min: number, max: number) => whole(min, max).meta({ unit: 'ms' });
export const days = (min: number, max: number) => whole(min, max).meta({ unit: 'days' });
export const count = whole;
export const requests = z.coerce.number().int().min(1).meta({ unit: 'requests' });
export const fraction = z.coerce.number().min(0).max(1);
export const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).meta({ form: 'http(s) URL' });

/** `{token}` is replaced; in the fragment no server and no log sees it: https://shop.example/reset#token={token} */
export const linkUrl = httpUrl
  .max(500)
  .refine((url) => url.includes('{token}'), 'must contain {token}')
  .meta({ form: 'URL with {token}' });

export const postgresUrl = z
  .url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' })
  .meta({ form: 'postgres:// URL', isSecret: true });

export const instant = z.iso.datetime({ offset: true }).meta({ form: 'RFC 3339' });

const list = z
  .string()
  .default('')
  .transform((value) => value.split(',').flatMap((item) => item.trim() || []));

export const origins = list
  .pipe(
    z.array(
      z
        .url({ protocol: /^https?$/, error: 'must list exact origins, separated by commas', abort: true })
        .refine((origin) => new URL(origin).origin === origin, 'must list origins without a path'),
    ),
  )
  .meta({ form: 'origins, by commas' });

// Only what runs beside the Worker reads these: as functions they are left out of its bundle.

export const path = () => text(1, 4_096).meta({ form: 'path' });

/** Addresses and blocks of them (RFC 4632). */
export const networks = () => {
  const network = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'must list IP addresses and CIDR blocks');
  return list.pipe(z.array(network)).meta({ form: 'addresses, by commas' });
};

/** `host:port` is the same as `redis://host:port`; comes out as a URL. */
export const redisUrl = () =>
  z
    .string()
    .transform((value) => (value.includes('://') ? value : `redis://${value}`))
    .pipe(z.url({ protocol: /^rediss?$/, error: 'must be host:port, redis:// or rediss://' }))
    .meta({ form: 'host:port or URL', isSecret: true });
