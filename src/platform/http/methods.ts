interface Route {
  method: string;
  path: string;
}

/** Answers which methods a path takes, for the Allow header of a 405 (RFC 9110, 15.5.6). */
export function methodsByPath(routes: readonly Route[]): (path: string) => string[] {
  const patterns = routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, pattern: new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+')}$`) }));
  return (path) => [...new Set(patterns.flatMap(({ method, pattern }) => (pattern.test(path) ? [method] : [])))];
}
