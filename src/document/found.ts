/**
 * What a path leads to inside a document. A document is compact JSON text; a place in it is a pair of offsets
 * into the bytes that hold it, so that finding one copies nothing and parses nothing.
 */

/** `bytes[start, end)` is the JSON value at the path. */
export interface FoundValue {
  readonly kind: "value";
  readonly start: number;
  readonly end: number;
}

/** The first `depth` segments of the path were found, the next was not. */
export interface MissingPart {
  readonly kind: "missing";
  readonly depth: number;
  /** What was found last and lacks the next segment: an object without that field, a list without that position, or neither. */
  readonly at: "object" | "array" | "scalar";
}

export type Found = FoundValue | MissingPart;
