/** Which methods a path takes: for the `Allow` of a 405, which the router does not tell. */

export interface DeclaredRoute {
  /** As declared: `/kv/*`, `/keyspaces/:keyspace`. */
  readonly url: string;
  readonly methods: readonly string[];
}

/** Sorted; empty when no route matches. */
export function allowedMethods(routes: readonly DeclaredRoute[], path: string): string[] {
  const methods = new Set<string>();
  for (const route of routes) {
    if (!toPattern(route.url).test(path)) continue;
    for (const method of route.methods) methods.add(method);
  }
  return [...methods].sort();
}

const toPattern = (url: string): RegExp =>
  new RegExp(
    `^${url.replaceAll(/[.+]/g, String.raw`\$&`).replaceAll(/:\w+/g, "[^/]+").replaceAll("*", ".*")}$`,
  );
