import type { Import, Source } from './source.ts';
import type { Rule, Violation } from './rule.ts';

/** A domain may import only those to its left, and only through their index.ts. */
const RANK = [
  'audit',
  'events',
  'notifications',
  'identity',
  'customers',
  'markets',
  'catalog',
  'content',
  'tax',
  'inventory',
  'pricing',
  'search',
  'cart',
  'payments',
  'fulfillment',
  'orders',
  'checkout',
  'admin',
] as const;

const COMMERCE =
  /^(basket|cart|catalog|categor(y|ie)|checkout|coupon|discount|fulfil?lment|gift|inventory|invoice|merchant|order|payment|pric(e|ing)|product|promotion|purchase|refund|shipment|shipping|sku|stock|storefront|vendor|warehouse)s?$/i;

const RULES_FILE = /^src\/domains\/[^/]+\/rules(\/|\.ts$)/;
const ROUTES_FILE = /^src\/domains\/[^/]+\/(admin-)?routes(\/|\.ts$)/;
const SQL_FILE = /^src\/(platform\/|(domains\/[^/]+|gauges)\/(queries|statements)(\/|[\w.-]*\.ts$))/;
const SQL_TEXT = /^\s*(select\s[^]+\sfrom|insert\s+into|update\s+\S+\s+set|delete\s+from)\s/i;
/** Besides its own rules and schema: what decides without I/O, and the faces of other domains. */
const PURE_PLATFORM = new Set(['src/platform/money.ts', 'src/platform/errors.ts']);

export const layerRules: Rule[] = [
  {
    name: 'platform imports nothing above it',
    check: ({ sources }) =>
      importsIn(
        sources,
        (file) => file.startsWith('src/platform/'),
        ({ target, typeOnly }) => (isAbove(target, typeOnly) ? `imports ${target}` : undefined),
      ),
  },
  {
    name: 'platform speaks no commerce',
    check: ({ paths, sources }) => [
      ...paths
        .filter(
          (file) => file.startsWith('src/platform/') && commerceWord(file.slice('src/platform/'.length)) !== undefined,
        )
        .map((file) => ({ path: file, line: 1, message: 'has a commerce word in its name' })),
      ...sources
        .filter((source) => source.path.startsWith('src/platform/'))
        .flatMap((source) =>
          source.exports
            .filter(({ name }) => commerceWord(name) !== undefined)
            .map(({ name, line }) => ({ path: source.path, line, message: `exports ${name}` })),
        ),
    ],
  },
  {
    name: 'a domain is in the rank order and imports only to its left',
    check: ({ sources }) =>
      importsIn(
        sources,
        (file) => domainOf(file) !== undefined,
        ({ target, typeOnly }, file) => {
          const from = rank(domainOf(file));
          if (from === -1) return 'is in a domain that has no rank';
          if (!typeOnly && /^src\/[^/]+$/.test(target)) return `imports ${target}, which is above every domain`;
          const other = domainOf(target);
          if (other === undefined || other === domainOf(file)) return undefined;
          return rank(other) === -1 || rank(other) > from ? `imports ${other}, which is not to its left` : undefined;
        },
      ),
  },
  {
    name: 'a domain is imported through its index.ts',
    check: ({ sources }) =>
      importsIn(
        sources,
        (file) => file.startsWith('src/'),
        ({ target }, file) => {
          const other = domainOf(target);
          const foreign = other !== undefined && other !== domainOf(file);
          return foreign && target !== `src/domains/${other}/index.ts` ? `imports ${target}` : undefined;
        },
      ),
  },
  {
    name: 'rules.ts imports no I/O',
    check: ({ sources }) =>
      importsIn(
        sources,
        (file) => RULES_FILE.test(file),
        (imported, file) =>
          imported.typeOnly || isPure(imported.target, file) ? undefined : `imports ${imported.specifier}`,
      ),
  },
  {
    name: 'routes hold no SQL',
    check: ({ sources }) =>
      importsIn(
        sources,
        (file) => ROUTES_FILE.test(file),
        ({ target, typeOnly }) =>
          !typeOnly && target.startsWith('src/platform/db/') ? `imports ${target}` : undefined,
      ),
  },
  {
    name: 'SQL is written in queries and statements only',
    check: ({ sources }) =>
      sources.filter((source) => source.path.startsWith('src/') && !SQL_FILE.test(source.path)).flatMap(straySql),
  },
];

function importsIn(
  sources: Source[],
  applies: (path: string) => boolean,
  complaint: (imported: Import, path: string) => string | undefined,
) {
  return sources
    .filter((source) => applies(source.path))
    .flatMap((source) =>
      source.imports.flatMap((imported) => {
        const message = complaint(imported, source.path);
        return message === undefined ? [] : [{ path: source.path, line: imported.line, message }];
      }),
    );
}

function straySql({ path, imports, uses, texts }: Source): Violation[] {
  const tagImports = imports.filter(
    ({ target, names }) => target === 'src/platform/db/sql.ts' && names.some((name) => name === 'sql' || name === '*'),
  );
  return [
    ...tagImports.map(({ line }) => ({ path, line, message: 'imports the sql tag' })),
    ...uses.filter(({ name }) => name === 'sql``').map(({ line }) => ({ path, line, message: 'uses the sql tag' })),
    ...texts
      .filter(({ value }) => SQL_TEXT.test(value))
      .map(({ line }) => ({ path, line, message: 'holds a statement as text' })),
  ];
}

/** The types of the composition root may be named from below; what it composes may not. */
function isAbove(target: string, typeOnly: boolean): boolean {
  return target.startsWith('src/domains/') || (!typeOnly && /^src\/[^/]+$/.test(target));
}

function isPure(target: string, file: string): boolean {
  if (PURE_PLATFORM.has(target)) return true;
  const domain = domainOf(target);
  if (domain === undefined) return false;
  return domain === domainOf(file)
    ? RULES_FILE.test(target) || /\/schema(\/|\.ts$)/.test(target)
    : target === `src/domains/${domain}/index.ts`;
}

function domainOf(path: string): string | undefined {
  return /^src\/domains\/([^/]+)\//.exec(path)?.[1];
}

function rank(domain: string | undefined): number {
  return RANK.findIndex((name) => name === domain);
}

/** The commerce word of a camelCase, snake_case or kebab-case name; "order by" is SQL, not a sale. */
function commerceWord(name: string): string | undefined {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').split(/[^A-Za-z]+/);
  return words.find((word, index) => {
    const sorts = /^order$/i.test(word) && /^by$/i.test(words[index + 1] ?? '');
    return COMMERCE.test(word) && !sorts;
  });
}
