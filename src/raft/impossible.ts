/**
 * What no replica that keeps the rules would send: refused before anything has changed, and said to the host. A
 * broken invariant of this replica itself is an assertion; the bytes of another must never be one.
 */
import { MinikeyError } from "../core/errors.js";

/** Throws `MinikeyError` `PROTOCOL` unless `condition` holds. */
export function requirePossible(condition: boolean, problem: string): void {
  if (!condition) throw new MinikeyError("PROTOCOL", `impossible message: ${problem}`);
}
