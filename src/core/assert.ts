/** Broken invariants stop the process: a database that goes on after one may answer wrongly. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** Throws {@link AssertionFailure} unless `condition` holds. Stays on in production. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** For the `default` of a switch over a union: the compiler proves that it is never reached. */
export function unreachable(value: never, what: string): never {
  throw new AssertionFailure(`unexpected ${what}: ${String(value)}`);
}
