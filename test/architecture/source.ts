import path from 'node:path';
import { type Program, Visitor, type VisitorObject, parseSync } from 'oxc-parser';

/** What the rules need to know of one file; lines count from 1. */
export interface Source {
  path: string;
  lineCount: number;
  imports: Import[];
  exports: { name: string; line: number }[];
  /** Uses of globals as `Date.now`, `new Date()`, `fetch()`, and tags as sql``. */
  uses: { name: string; line: number }[];
  /** String literals, and templates up to their first placeholder. */
  texts: { value: string; line: number }[];
  comments: { value: string; line: number }[];
}

export interface Import {
  specifier: string;
  /** The path in the repository for a relative import, otherwise the specifier. */
  target: string;
  /** Imported names; `*` for a namespace or everything, `default` for the default. */
  names: string[];
  typeOnly: boolean;
  line: number;
}

const OBJECTS = new Set(['Date', 'Math', 'crypto', 'performance', 'console']);

/** Reads the imports, exports and uses of one TypeScript file. Throws on a syntax error. */
export function readSource(file: string, text: string): Source {
  const parsed = parseSync(file, text);
  const [error] = parsed.errors;
  if (error !== undefined) throw new SyntaxError(`${file}: ${error.message}`);
  const lineAt = lineCounter(text);
  return {
    path: file,
    lineCount: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    imports: readImports(file, text, parsed.module, lineAt),
    exports: parsed.module.staticExports
      .flatMap((statement) => statement.entries)
      .flatMap(({ exportName, start }) =>
        exportName.name === null ? [] : [{ name: exportName.name, line: lineAt(start) }],
      ),
    ...readBody(parsed.program, lineAt),
    comments: parsed.comments.map(({ value, start }) => ({ value, line: lineAt(start) })),
  };
}

type Module = ReturnType<typeof parseSync>['module'];
type LineAt = (offset: number) => number;

function readImports(file: string, text: string, module: Module, lineAt: LineAt): Import[] {
  const make = (specifier: string, names: string[], typeOnly: boolean, start: number): Import => ({
    specifier,
    target: specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : specifier,
    names,
    typeOnly,
    line: lineAt(start),
  });
  const imports = module.staticImports.map(({ moduleRequest, entries, start }) => {
    const names = entries.map(({ importName }) => importName.name ?? nameOfKind(importName.kind));
    const typeOnly = entries.length > 0 && entries.every((entry) => entry.isType);
    return make(moduleRequest.value, names, typeOnly, start);
  });
  const reexports = module.staticExports
    .flatMap((statement) => statement.entries)
    .flatMap(({ moduleRequest, importName, isType, start }) =>
      moduleRequest === null ? [] : [make(moduleRequest.value, [importName.name ?? '*'], isType, start)],
    );
  const dynamic = module.dynamicImports.map(({ moduleRequest, start }) =>
    make(text.slice(moduleRequest.start + 1, moduleRequest.end - 1), ['*'], false, start),
  );
  return [...imports, ...reexports, ...dynamic];
}

/** The kinds are an ambient const enum, which a file compiled by itself can only see as text. */
function nameOfKind(kind: string): string {
  return kind === 'Default' ? 'default' : '*';
}

function readBody(program: Program, lineAt: LineAt): Pick<Source, 'uses' | 'texts'> {
  const uses: Source['uses'] = [];
  const texts: Source['texts'] = [];
  const visitor: VisitorObject = {
    MemberExpression({ object, property, computed, start }) {
      if (computed || property.type !== 'Identifier') return;
      const name = globalName(object);
      if (name !== undefined && OBJECTS.has(name)) uses.push({ name: `${name}.${property.name}`, line: lineAt(start) });
    },
    NewExpression({ callee, arguments: given, start }) {
      const name = globalName(callee);
      if (name !== undefined)
        uses.push({ name: `new ${name}(${given.length === 0 ? '' : '...'})`, line: lineAt(start) });
    },
    CallExpression({ callee, start }) {
      const name = globalName(callee);
      if (name !== undefined) uses.push({ name: `${name}()`, line: lineAt(start) });
    },
    TaggedTemplateExpression({ tag, start }) {
      if (tag.type === 'Identifier') uses.push({ name: `${tag.name}\`\``, line: lineAt(start) });
    },
    Literal(literal) {
      if (typeof literal.value === 'string') texts.push({ value: literal.value, line: lineAt(literal.start) });
    },
    TemplateLiteral({ quasis, start }) {
      texts.push({ value: quasis[0]?.value.raw ?? '', line: lineAt(start) });
    },
  };
  new Visitor(visitor).visit(program);
  return { uses, texts };
}

type Expression = Parameters<NonNullable<VisitorObject['CallExpression']>>[0]['callee'];

/** The name of a global, whether written as `Date` or as `globalThis.Date`. */
function globalName(expression: Expression): string | undefined {
  if (expression.type === 'Identifier') return expression.name;
  if (expression.type !== 'MemberExpression' || expression.computed) return undefined;
  const { object, property } = expression;
  const ofGlobal = object.type === 'Identifier' && object.name === 'globalThis';
  return ofGlobal && property.type === 'Identifier' ? property.name : undefined;
}

function lineCounter(text: string): LineAt {
  const ends = [...text.matchAll(/\n/g)].map((match) => match.index);
  return (offset) => {
    const line = ends.findIndex((end) => end >= offset);
    return line === -1 ? ends.length + 1 : line + 1;
  };
}
