/**
 * Changes to the text of a document: parts of it replaced, inserted and removed, all at once and with one copy.
 *
 *     {"a":1,"b":[2,3]}      edits: [5,6) becomes `10`, [14,15) goes, with the comma before it
 *     {"a":10,"b":[2]}
 */
import { assert } from "../core/assert.js";
import { allocOwnBytes, type Bytes, copyInto, EMPTY_BYTES, latin1ToBytes } from "../core/bytes.js";
import { COMMA } from "./json-bytes.js";
import type { Place } from "./json-select.js";
import { checkDocumentBytes } from "./json-work.js";

/** `[start, end)` becomes `text`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: Bytes;
}

/**
 * `bytes[start, end)` with `edits` made, none of which lies in another; in memory of its own. Throws `VALUE_TOO_LARGE`
 * for what is larger than any document.
 */
export function spliceText(bytes: Bytes, start: number, end: number, edits: readonly Edit[]): Bytes {
  const sorted = edits.toSorted((a, b) => a.start - b.start);
  const added = sorted.reduce((sum, edit) => sum + edit.text.length - (edit.end - edit.start), 0);
  checkDocumentBytes(end - start + added);
  const result = allocOwnBytes(end - start + added);
  let from = start;
  let to = 0;
  for (const edit of sorted) {
    assert(edit.start >= from, "edits of a document do not overlap");
    copyInto(result, to, bytes, from, edit.start);
    to += edit.start - from;
    copyInto(result, to, edit.text, 0, edit.text.length);
    to += edit.text.length;
    from = edit.end;
  }
  copyInto(result, to, bytes, from, end);
  return result;
}

/** Each place once and none that lies in another, in the order of the document. */
export function outermost(places: readonly Place[]): Place[] {
  const result: Place[] = [];
  let end = -1;
  for (const place of places.toSorted((a, b) => a.start - b.start)) {
    if (place.start < end) continue;
    result.push(place);
    end = place.end;
  }
  return result;
}

/** Edits that remove `places`, outermost ones in order, each with the comma that parted it from its neighbour. */
export function removals(bytes: Bytes, places: readonly Place[]): Edit[] {
  const edits: Edit[] = [];
  let removedEnd = -1;
  for (const { memberStart, end } of places) {
    // The first member that stays must have no comma before it. So the comma behind goes with the first ones.
    const isFirst = bytes[memberStart - 1] !== COMMA || removedEnd === memberStart;
    const edit: Edit = isFirst
      ? { start: memberStart, end: bytes[end] === COMMA ? end + 1 : end, text: EMPTY_BYTES }
      : { start: memberStart - 1, end, text: EMPTY_BYTES };
    edits.push(edit);
    removedEnd = edit.end;
  }
  return edits;
}

const COMMA_BYTES = latin1ToBytes(",");

/** `items` with commas between them. */
export function joinTexts(items: readonly Bytes[]): Bytes {
  const length = items.reduce((sum, item) => sum + item.length + 1, 0);
  const result = allocOwnBytes(Math.max(length - 1, 0));
  let at = 0;
  for (const item of items) {
    if (at > 0) {
      copyInto(result, at, COMMA_BYTES, 0, 1);
      at += 1;
    }
    copyInto(result, at, item, 0, item.length);
    at += item.length;
  }
  return result;
}
