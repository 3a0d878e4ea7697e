/** Broken invariants stop the process: a database that goes on after one may answer wrongly. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/**
 * Throws {@link AssertionFailure} unless `condition` holds. Stays on in production, on the hottest paths too: so
 * the message is put together only when it is needed, with the details in place of its `%`, in their order.
 */
export function assert(
  condition: boolean,
  message: string,
  ...details: readonly unknown[]
): asserts condition {
  if (!condition) throw new AssertionFailure(worded(message, details));
}

function worded(message: string, details: readonly unknown[]): string {
  let next = 0;
  return message.replaceAll("%", () => {
    next += 1;
    return String(details[next - 1]);
  });
}

/** For the `default` of a switch over a union: the compiler proves that it is never reached. */
export function unreachable(value: never, what: string): never {
  throw new AssertionFailure(`unexpected ${what}: ${String(value)}`);
}
