import type { Rule } from './rule.ts';
import type { Source } from './source.ts';

const LINES_MAX = 300;
const TIME_AND_CHANCE = new Set(['Date.now', 'Date()', 'new Date()', 'Math.random', 'crypto.randomUUID']);
const TIME_AND_CHANCE_FILES = new Set(['src/platform/clock.ts', 'src/platform/id.ts']);
const IMPURE = /^(fetch\(\)|set(Timeout|Interval)\(\)|(crypto|performance)\..*)$/;
const LOG_FILE = 'src/platform/telemetry/log.ts';

/** Everything that may lie at the top; a new entry is a decision, so it is made here. */
const TOP_LEVEL = new Set([
  '.ci',
  '.github',
  '.gitignore',
  '.oxfmtrc.json',
  '.oxlintrc.json',
  'LICENSE',
  'README.md',
  'bench',
  'deploy',
  'dev',
  'migrations',
  'observability',
  'package-lock.json',
  'package.json',
  'src',
  'test',
  'tsconfig.json',
  'wrangler.toml',
]);

export const habitRules: Rule[] = [
  {
    name: 'time and chance come from clock.ts and id.ts',
    check: ({ sources }) => [
      ...usesIn(
        sources.filter((source) => source.path.startsWith('src/') && !TIME_AND_CHANCE_FILES.has(source.path)),
        (name) => TIME_AND_CHANCE.has(name),
      ),
      ...sources
        .filter((source) => source.path.startsWith('src/') && !TIME_AND_CHANCE_FILES.has(source.path))
        .flatMap((source) =>
          source.imports
            .filter(({ names }) => names.includes('randomUUID'))
            .map(({ line }) => ({ path: source.path, line, message: 'imports randomUUID' })),
        ),
    ],
  },
  {
    name: 'rules.ts decides from its input alone',
    check: ({ sources }) =>
      usesIn(
        sources.filter((source) => /^src\/domains\/[^/]+\/rules(\/|\.ts$)/.test(source.path)),
        (name) => IMPURE.test(name),
      ),
  },
  {
    name: 'only log.ts writes to the console',
    check: ({ sources }) =>
      usesIn(
        sources.filter((source) => source.path.startsWith('src/') && source.path !== LOG_FILE),
        (name) => name.startsWith('console.'),
      ),
  },
  {
    name: 'zod is imported as a namespace',
    check: ({ sources }) =>
      sources.flatMap((source) =>
        source.imports
          .filter(({ target, typeOnly }) => !typeOnly && /^zod(\/|$)/.test(target))
          .filter(({ names }) => names.some((name) => name !== '*'))
          .map(({ line, names }) => ({ path: source.path, line, message: `imports { ${names.join(', ')} } from zod` })),
      ),
  },
  {
    name: 'a relative import names its file in full',
    check: ({ sources }) =>
      sources.flatMap((source) =>
        source.imports
          .filter(({ specifier }) => specifier.startsWith('.') && !/\.[a-z]+$/.test(specifier))
          .map(({ line, specifier }) => ({ path: source.path, line, message: `imports ${specifier}` })),
      ),
  },
  {
    name: `a file has at most ${LINES_MAX} lines`,
    check: ({ sources }) =>
      sources
        .filter((source) => source.lineCount > LINES_MAX)
        .map(({ path, lineCount }) => ({ path, line: LINES_MAX + 1, message: `has ${lineCount} lines` })),
  },
  {
    name: 'nothing is left for later',
    check: ({ sources }) =>
      sources.flatMap((source) =>
        source.comments
          .filter(({ value }) => /\b(TODO|FIXME|HACK)\b/.test(value))
          .map(({ line }) => ({ path: source.path, line, message: 'has a note to finish it' })),
      ),
  },
  {
    name: 'the top level holds only what is expected there',
    check: ({ paths }) =>
      [...new Set(paths.map((path) => path.split('/', 1).join('')))]
        .filter((entry) => !TOP_LEVEL.has(entry))
        .map((entry) => ({ path: entry, line: 1, message: 'is not expected at the top level' })),
  },
  { name: 'every migration has its way back', check: ({ paths }) => unpairedMigrations(paths) },
];

function usesIn(sources: Source[], matches: (name: string) => boolean) {
  return sources.flatMap((source) =>
    source.uses
      .filter(({ name }) => matches(name))
      .map(({ name, line }) => ({ path: source.path, line, message: `uses ${name}` })),
  );
}

function unpairedMigrations(paths: string[]) {
  const migrations = paths.filter((path) => path.startsWith('migrations/'));
  const all = new Set(migrations);
  const stamps = new Map<string, string>();
  return migrations.flatMap((path) => {
    const parts = /^migrations\/(\d{14})_[a-z]+_[a-z0-9_]+?(\.down)?\.sql$/.exec(path);
    if (parts === null) return [{ path, line: 1, message: 'is not named <timestamp>_<verb>_<noun>[.down].sql' }];
    const [, stamp = '', down] = parts;
    const twin = down === undefined ? path.replace(/\.sql$/, '.down.sql') : path.replace(/\.down\.sql$/, '.sql');
    if (!all.has(twin)) return [{ path, line: 1, message: `has no ${twin}` }];
    if (down !== undefined) return [];
    const other = stamps.get(stamp);
    stamps.set(stamp, path);
    return other === undefined ? [] : [{ path, line: 1, message: `has the timestamp of ${other}` }];
  });
}
