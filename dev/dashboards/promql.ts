import { parser } from '@prometheus-io/lezer-promql';
import type { SyntaxNode } from '@lezer/common';

export interface Matcher {
  label: string;
  value: string;
}

export interface Selector {
  metric: string;
  matchers: Matcher[];
  /** Labels that an aggregation, `on` or `ignoring` around it asks of it. */
  grouping: string[];
  aggregated: boolean;
}

export interface Expression {
  text: string;
  selectors: Selector[];
  /** Left sides of its comparisons, without those that only watch for absence. */
  compared: string[];
  /** Ranges of its matrix selectors, as written before substitution. */
  ranges: string[];
  /** Divisions of which a side is a series that nothing sums. */
  bareDivisions: string[];
}

const COMPARISONS = new Set(['Eql', 'EqlC', 'Neq', 'Gtr', 'Gte', 'Lss', 'Lte']);

export interface Windows {
  rateInterval: string;
  range: string;
}

/** Grafana's own variables filled in; throws on one it does not know. */
export function substitute(expr: string, windows: Windows = { rateInterval: '5m', range: '1h' }): string {
  const filled = expr
    .replaceAll('$__rate_interval', windows.rateInterval)
    .replaceAll('$__range', windows.range)
    .replaceAll('$job', '.*');
  if (filled.includes('$')) throw new Error(`Unknown variable in ${expr}`);
  return filled;
}

/** Parses PromQL by Prometheus's own grammar; throws where it is not PromQL. */
export function parse(expr: string): Expression {
  const text = substitute(expr);
  const found: Expression = { text, selectors: [], compared: [], ranges: [], bareDivisions: [] };
  found.ranges = [...expr.matchAll(/(?<=[\w})])\[([^\]]+)\]/g)].map((match) => match[1] ?? '');
  parser.parse(text).iterate({
    enter: ({ node, type, from, to }) => {
      if (type.isError) throw new Error(`Not PromQL at ${from}: ${text}`);
      if (type.name === 'VectorSelector') found.selectors.push(selector(node, text));
      if (type.name === 'BinaryExpr') readBinary(node, text, found);
      if (type.name === 'BoolModifier') throw new Error(`bool is not expected: ${text.slice(from, to)}`);
    },
  });
  return found;
}

function readBinary(node: SyntaxNode, text: string, found: Expression): void {
  const left = node.firstChild;
  const right = node.lastChild;
  const operator = left?.nextSibling;
  if (left == null || right == null || operator == null) throw new Error(`Half an expression: ${text}`);
  if (COMPARISONS.has(operator.name) && !/^up\b/.test(textOf(left, text))) found.compared.push(textOf(left, text));
  if (operator.name === 'Div' && [left, right].some((side) => hasBareSelector(side))) {
    found.bareDivisions.push(textOf(node, text));
  }
}

const textOf = (node: SyntaxNode, text: string): string => text.slice(node.from, node.to);

/** Recorded series are sums already. */
function hasBareSelector(side: SyntaxNode): boolean {
  let bare = false;
  side.cursor().iterate((inner) => {
    if (inner.name === 'AggregateExpr') return false;
    if (inner.name === 'VectorSelector') bare = true;
    return undefined;
  });
  return bare;
}

function selector(node: SyntaxNode, text: string): Selector {
  const name = node.getChild('Identifier');
  if (name == null) throw new Error(`A selector without a name: ${textOf(node, text)}`);
  const matchers: Matcher[] = [];
  for (const matcher of node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []) {
    const label = matcher.getChild('LabelName');
    const value = matcher.getChild('StringLiteral');
    if (label == null || value == null) throw new Error(`Unreadable matcher: ${textOf(matcher, text)}`);
    matchers.push({ label: textOf(label, text), value: textOf(value, text).slice(1, -1) });
  }
  const grouping: string[] = [];
  let aggregated = false;
  for (let above = node.parent; above != null; above = above.parent) {
    if (above.name === 'AggregateExpr') {
      if (!aggregated) grouping.push(...labelsOf(above.getChild('AggregateModifier'), text));
      aggregated = true;
    }
    if (!aggregated && above.name === 'BinaryExpr') {
      grouping.push(...labelsOf(above.getChild('MatchingModifierClause'), text));
    }
  }
  return { metric: textOf(name, text), matchers, grouping, aggregated };
}

function labelsOf(modifier: SyntaxNode | null, text: string): string[] {
  return (modifier?.getChild('GroupingLabels')?.getChildren('LabelName') ?? []).map((label) => textOf(label, text));
}
