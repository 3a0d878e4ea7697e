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

export type JsonKind = "object" | "array" | "text" | "number" | "boolean" | "null";

/** The first `depth` segments of the path were found, the next was not. */
export interface MissingPart {
  readonly kind: "missing";
  readonly depth: number;
  /**
   * What was found last and lacks the next segment: an object without that field, a list without that position, or
   * neither.
   */
  readonly at: JsonKind;
  /** How many elements a list has that lacks the position; 0 for anything else. */
  readonly elements: number;
}

export type Found = FoundValue | MissingPart;
