/**
 * The way into a document, segment by segment: a field of an object by its name, an element of a list by its
 * position from 0.
 */
import { hasEscape } from "../codec/json-name.js";
import { type Bytes, EMPTY_BYTES } from "../core/bytes.js";
import { decodeString, FieldName, type NameMatcher } from "./field-name.js";

/** Walked once. A segment's name is asked for before the next segment is. */
export interface Way {
  /** Moves on to the next segment, at first to the first; false when there is none. */
  next(): boolean;
  /** The segment as the name of a field. */
  readonly name: NameMatcher;
  /** The segment as a position; infinite when it is none. */
  position(): number;
}

/** A position as it is written: no sign, no leading zeros, and fewer digits than any list has elements. */
const POSITION = /^(?:0|[1-9]\d{0,8})$/;

export const positionOf = (segment: string): number =>
  POSITION.test(segment) ? Number(segment) : Number.POSITIVE_INFINITY;

/** By texts. */
export class SegmentsWay implements Way {
  readonly #segments: readonly string[];
  #at = -1;

  constructor(segments: readonly string[]) {
    this.#segments = segments;
  }

  next(): boolean {
    this.#at += 1;
    return this.#at < this.#segments.length;
  }

  get name(): FieldName {
    return new FieldName(this.#segments[this.#at]);
  }

  position(): number {
    return positionOf(this.#segments[this.#at]);
  }
}

const DOT = 0x2e;

/** By bytes, separated by dots, each of which is a character that stands for itself in JSON, too. Used again and again. */
export class PlainWay implements Way, NameMatcher {
  readonly name: NameMatcher = this;
  #bytes: Bytes = EMPTY_BYTES;
  #start = 0;
  #end = 0;
  #next = 0;
  #limit = -1;

  /** Segments from `start` on, the last of which ends at `limit`; none when `start` is beyond. */
  reset(bytes: Bytes, start: number, limit: number): void {
    this.#bytes = bytes;
    this.#next = start;
    this.#limit = limit;
  }

  next(): boolean {
    if (this.#next > this.#limit) return false;
    const bytes = this.#bytes;
    let end = this.#next;
    while (end < this.#limit && bytes[end] !== DOT) end += 1;
    this.#start = this.#next;
    this.#end = end;
    this.#next = end + 1;
    return true;
  }

  matches(bytes: Bytes, start: number, end: number): boolean {
    const length = this.#end - this.#start;
    const spelled = end - start - 2;
    // An escape is longer than what it stands for, so only a longer string can be this name by another spelling.
    if (spelled < length) return false;
    if (spelled === length) {
      for (let i = 0; i < length; i += 1) {
        if (bytes[start + 1 + i] !== this.#bytes[this.#start + i]) return false;
      }
      return true;
    }
    return hasEscape(bytes, start + 1, end - 1) && decodeString(bytes, start, end) === this.#text();
  }

  position(): number {
    return positionOf(this.#text());
  }

  #text(): string {
    return this.#bytes.latin1Slice(this.#start, this.#end);
  }
}
