import * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import { auditPage } from './queries.ts';
import type { AuditLogQuery } from './schema.ts';

const Cursor = z.tuple([z.uuid()]);

/** One round trip. */
export async function listAuditLog(deps: Deps, { limit, cursor, ...filter }: z.output<typeof AuditLogQuery>) {
  const before = decodeCursor(cursor, Cursor)?.[0] ?? null;
  const [rows] = await deps.db.read(auditPage(filter, before, limit));
  return pageOf(rows, limit, { item: (row) => row, key: ({ id }) => [id] });
}
