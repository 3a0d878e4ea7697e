/**
 * Is a history of one key's operations linearizable? Wing and Gong's search with Lowe's memoisation: take any
 * operation that no other must come before, see whether it fits the state, go on with the rest.
 */

export interface Operation {
  readonly kind: "read" | "write";
  /** What was written, or read; null for "no value". */
  readonly value: string | null;
  readonly invokedMs: number;
  /** Infinity when the outcome is not known: it may take effect at any later time, or never. */
  readonly returnedMs: number;
}

/** True when some order of the operations explains all of them. Reads of unknown outcome are left out by the caller. */
export function isLinearizable(history: readonly Operation[], initial: string | null = null): boolean {
  const operations = [...history].sort((a, b) => a.invokedMs - b.invokedMs);
  const seen = new Set<string>();
  const mustDo = operations.filter((operation) => operation.returnedMs !== Number.POSITIVE_INFINITY).length;
  const done = Array.from(operations, () => false);

  const search = (value: string | null, doneCount: number): boolean => {
    if (doneCount === mustDo) return true;
    const key = `${done.map((isDone) => (isDone ? 1 : 0)).join("")}|${value}`;
    if (seen.has(key)) return false;
    seen.add(key);
    // Only what was invoked before the earliest return of what is left may come next.
    let earliestReturn = Number.POSITIVE_INFINITY;
    operations.forEach((operation, i) => {
      if (!done[i]) earliestReturn = Math.min(earliestReturn, operation.returnedMs);
    });
    for (let i = 0; i < operations.length; i += 1) {
      const operation = operations[i];
      if (done[i] || operation.invokedMs > earliestReturn) continue;
      if (operation.kind === "read" && operation.value !== value) continue;
      done[i] = true;
      const next = operation.kind === "write" ? operation.value : value;
      const counts = operation.returnedMs === Number.POSITIVE_INFINITY ? 0 : 1;
      if (search(next, doneCount + counts)) return true;
      done[i] = false;
    }
    return false;
  };
  return search(initial, 0);
}
