import { etag } from 'hono/etag';
import type { MiddlewareHandler } from 'hono';
import { AppError } from '../errors.ts';
import { base64url } from '../id.ts';
import type { AppContext, AppEnv } from './context.ts';
import type { Operation } from './operation.ts';

const DIGEST_BYTES = 9;

/**
 * Sets the ETag of a versioned resource: `"<version>-<digest>"`. The digest makes If-None-Match exact where prices or
 * stock moved without the version; If-Match reads the version alone.
 */
export async function versionedEtag(c: AppContext, version: number, data: unknown): Promise<void> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(data)));
  c.header('ETag', `"${version}-${base64url(new Uint8Array(digest).subarray(0, DIGEST_BYTES))}"`);
}

const VERSION = /^(?:W\/)?"(\d{1,9})(?:-[\w-]{1,40})?"$/;

/** The versions that If-Match names; null without the header or with `*` (RFC 9110, 13.1.1; proxies weaken ETags). */
export function ifMatchVersions(c: AppContext): number[] | null {
  const header = c.req.header('if-match')?.trim();
  if (header === undefined || header === '*') return null;
  const versions = header.split(',').flatMap((tag) => VERSION.exec(tag.trim())?.[1] ?? []);
  if (versions.length === 0) {
    throw new AppError('precondition_failed', 'If-Match holds no ETag of this resource.', { param: 'If-Match' });
  }
  return versions.map(Number);
}

/** The versions that a change by staff is based on; null for `*`. 428 without the header (RFC 6585, 3). */
export function requireIfMatch(c: AppContext): number[] | null {
  if (c.req.header('if-match') === undefined) {
    throw new AppError('precondition_required', 'Send If-Match with the ETag that your change is based on, or *.', {
      param: 'If-Match',
    });
  }
  return ifMatchVersions(c);
}

const CHANGES = new Set(['PUT', 'PATCH', 'DELETE']);

/** Whether the method changes a resource that staff have read before. */
export function isStaffChange(method: string, { auth }: Operation): boolean {
  return auth === 'staff' && CHANGES.has(method);
}

const ofBody = etag();

/** Reads without a version of their own get an ETag from their body; If-None-Match is answered 304 for all. */
export const etagReads: MiddlewareHandler<AppEnv> = (c, next) =>
  c.req.method === 'GET' || c.req.method === 'HEAD' ? ofBody(c, next) : next();
