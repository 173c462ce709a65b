import type { CategoryRow } from './queries.ts';
import type { Category } from './schema.ts';

/** Hangs each category below its parent, in the order of the rows. */
export function categoryTree(rows: readonly CategoryRow[]): Category[] {
  const nodes = new Map<string, Category>(rows.map((row) => [row.id, { ...row, children: [] }]));
  const roots: Category[] = [];
  for (const node of nodes.values()) {
    const siblings = node.parent_id === null ? roots : nodes.get(node.parent_id)?.children;
    siblings?.push(node);
  }
  return roots;
}

/** Depth-first; null when no category of the tree has that id or handle. */
export function findCategory(tree: readonly Category[], idOrHandle: string): Category | null {
  for (const node of tree) {
    if (node.id === idOrHandle || node.handle === idOrHandle) return node;
    const found = findCategory(node.children, idOrHandle);
    if (found) return found;
  }
  return null;
}
