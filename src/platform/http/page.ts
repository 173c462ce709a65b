import * as z from 'zod';
import { AppError } from '../errors.ts';
import { base64url } from '../id.ts';

/** Query members of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(500).optional(),
};

/** A keyset cursor holds the sort key and id of the last row, so a page costs the same wherever it is. */
export type CursorKey = readonly (string | number)[];

function encodeCursor(key: CursorKey): string {
  return base64url(new TextEncoder().encode(JSON.stringify(key)));
}

/** `shape` checks each part, since a cursor is input like any other. */
export function decodeCursor<Key>(cursor: string | undefined, shape: z.ZodType<Key>): Key | null {
  if (cursor === undefined) return null;
  try {
    const bytes = Uint8Array.from(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
    return shape.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)));
  } catch (cause) {
    throw new AppError('malformed_request', 'The cursor is not one of ours.', { param: 'cursor', cause });
  }
}

/** Turns limit + 1 rows into a page. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  { item, key }: { item: (row: Row) => Item; key: (row: Row) => CursorKey },
) {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const has_more = rows.length > limit;
  return { data: shown.map(item), has_more, next_cursor: has_more && last ? encodeCursor(key(last)) : null };
}
