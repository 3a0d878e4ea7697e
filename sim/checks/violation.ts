/** A promise that was broken: which, what was seen, and the history that shows it. */

export class Violation extends Error {
  override readonly name = "Violation";
  /** What was promised: `election safety`, `linearizability` … */
  readonly property: string;
  /** The events that cannot all be true together, one a line; empty when the message says all. */
  readonly history: readonly string[];

  constructor(property: string, message: string, history: readonly string[] = []) {
    super(message);
    this.property = property;
    this.history = history;
  }
}

/** Reports a broken promise; the life goes on to the end of its event. */
export type Report = (property: string, message: string) => void;

/** What was thrown, as a broken promise of `property` unless it says itself which one it was. */
export function asViolation(error: unknown, property: string): Violation {
  if (error instanceof Violation) return error;
  return new Violation(property, error instanceof Error ? error.message : String(error));
}
