import { invalid } from './shapes.ts';

const PAGE_MAX = 100;
const PAGE = 10;

export interface Page {
  object: 'list';
  data: unknown[];
  has_more: boolean;
}

/** At most `limit` of them, those after `starting_after` where it is given. */
export function pageOf(all: readonly { id: string }[], query: URLSearchParams): Page {
  const limit = Number(query.get('limit') ?? PAGE);
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX) throw invalid('limit', `From 1 to ${PAGE_MAX}.`);
  const after = query.get('starting_after');
  const from = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
  if (after !== null && from === 0) throw invalid('starting_after', `No such object: ${after}`);
  return { object: 'list', data: all.slice(from, from + limit), has_more: all.length > from + limit };
}
