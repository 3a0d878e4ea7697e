/**
 * Edits of documents by JSONPath. They work on the text: what is not at the path stays byte for byte, and no value is
 * parsed that is not changed. Every edit either gives a whole new document or throws and leaves the old one.
 */
import { JSON_DEPTH_MAX } from "../codec/json-text.js";
import { type Bytes, concatBytes, latin1ToBytes, utf8ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { CLOSE_BRACE, CLOSE_BRACKET, OPEN_BRACE, OPEN_BRACKET, QUOTE, skipString } from "./json-bytes.js";
import { isSinglePlace, type JsonPath } from "./json-path.js";
import { type Place, selectPlaces } from "./json-select.js";
import { type Edit, outermost, removals, spliceText } from "./json-splice.js";
import { checkDocumentBytes, DocumentWork } from "./json-work.js";

/** Canonical JSON text: `bytes[start, end)`. */
export interface JsonText {
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
}

export const wholeText = (bytes: Bytes): JsonText => ({ bytes, start: 0, end: bytes.length });

export const viewOf = ({ bytes, start, end }: JsonText): Bytes => bytes.subarray(start, end);

// --- One place after the other ---

/** What an edit makes of one value; `text` is undefined when the value stays as it is. */
export interface ValueEdit<Result> {
  readonly text: Bytes | undefined;
  readonly result: Result;
}

export interface DocumentEdit<Result> {
  /** The new document; undefined when nothing changed. */
  readonly text: JsonText | undefined;
  /** Of each place that the path matches, in its order. */
  readonly results: readonly Result[];
}

/**
 * Edits every value that `path` matches, by `edit`, which gets the value's text and depth. A value inside of another
 * one that matches too is edited first; one that is matched twice is edited twice.
 */
export function editPlaces<Result>(
  document: JsonText,
  path: JsonPath,
  edit: (value: JsonText, depth: number) => ValueEdit<Result>,
): DocumentEdit<Result> {
  const { bytes, start, end } = document;
  const work = new DocumentWork(end - start);
  const places = selectPlaces(bytes, start, end, path, work);
  const order = places.map((_, i) => i).toSorted((a, b) => places[b].start - places[a].start || a - b);
  const results = Array.from<Result>({ length: places.length });
  /** In falling order: the edits inside of the next value are the last ones. */
  const edits: Edit[] = [];
  /** Of what is in `edits`: the document is going to be no smaller. */
  let sizeBytes = 0;
  const push = (edit: Edit): void => {
    edits.push(edit);
    sizeBytes += edit.text.length;
    checkDocumentBytes(sizeBytes);
    work.pass(edit.text.length);
  };
  for (const i of order) {
    const place = places[i];
    const inner: Edit[] = [];
    for (let last = edits.at(-1); last !== undefined && last.start < place.end; last = edits.at(-1)) {
      inner.push(last);
      edits.pop();
      sizeBytes -= last.text.length;
    }
    const { text: before, isEdited } = withInner(bytes, place, inner);
    const { text, result } = edit(before, place.depth);
    results[i] = result;
    if (text !== undefined) push({ start: place.start, end: place.end, text });
    else if (isEdited) push({ start: place.start, end: place.end, text: viewOf(before) });
  }
  if (edits.length === 0) return { text: undefined, results };
  return { text: wholeText(spliceText(bytes, start, end, edits)), results };
}

/** The value at `place` with the edits made in it so far. */
function withInner(
  bytes: Bytes,
  { start, end }: Place,
  inner: readonly Edit[],
): { text: JsonText; isEdited: boolean } {
  if (inner.length === 0) return { text: { bytes, start, end }, isEdited: false };
  const whole = inner.find((edit) => edit.start === start && edit.end === end);
  const text = whole?.text ?? spliceText(bytes, start, end, inner);
  return { text: wholeText(text), isEdited: true };
}

// --- Setting ---

export type SetCondition = "any" | "absent" | "present";

/**
 * Puts `value` at every place that `path` matches; when it matches none and ends with a name, as a new field into
 * the objects before that. The new document; undefined when the condition or the document does not allow it.
 */
export function setValue(
  document: JsonText,
  path: JsonPath,
  value: JsonText,
  condition: SetCondition,
  work = new DocumentWork(document.end - document.start),
): JsonText | undefined {
  const { bytes, start, end } = document;
  const valueDepth = depthOf(value);
  if (condition !== "absent") {
    const places = outermost(selectPlaces(bytes, start, end, path, work));
    if (places.length > 0) {
      const text = viewOf(value);
      const edits = places.map((place) => {
        checkDepth(place.depth + valueDepth);
        return { start: place.start, end: place.end, text };
      });
      const result = wholeText(spliceText(bytes, start, end, edits));
      work.pass(result.end);
      return result;
    }
    if (condition === "present") return undefined;
  }
  return addField(document, path, value, work);
}

/** Puts `value` as a new field into the objects that `path` without its last step matches. */
export function addField(
  document: JsonText,
  path: JsonPath,
  value: JsonText,
  work = new DocumentWork(document.end - document.start),
): JsonText | undefined {
  const { bytes, start, end } = document;
  if (!isSinglePlace(path)) throw new MinikeyError("BAD_REQUEST", "wrong static path");
  const last = path.steps.at(-1)?.selector;
  if (last === undefined) return undefined;
  if (last.kind !== "names") {
    if (selectPlaces(bytes, start, end, path, work).length > 0) return undefined;
    throw new MinikeyError("OUT_OF_RANGE", "array index out of range");
  }
  const [parent] = selectPlaces(bytes, start, end, { ...path, steps: path.steps.slice(0, -1) }, work);
  if (parent === undefined || bytes[parent.start] !== OPEN_BRACE) return undefined;
  if (selectPlaces(bytes, start, end, path, work).length > 0) return undefined;
  work.pass(end - start + value.end - value.start);
  checkDepth(parent.depth + 1 + depthOf(value));
  const isEmpty = bytes[parent.start + 1] === CLOSE_BRACE;
  const name = utf8ToBytes(`${isEmpty ? "" : ","}${JSON.stringify(last.names[0].text)}:`);
  const at = parent.end - 1;
  return wholeText(
    spliceText(bytes, start, end, [{ start: at, end: at, text: concatBytes([name, viewOf(value)]) }]),
  );
}

// --- Removing ---

/** Removes what `path`, which is not the whole document, matches; the new document, and how many values went. */
export function deleteValues(document: JsonText, path: JsonPath): { text: JsonText; count: number } {
  const { bytes, start, end } = document;
  const places = outermost(selectPlaces(bytes, start, end, path));
  if (places.length === 0) return { text: document, count: 0 };
  return { text: wholeText(spliceText(bytes, start, end, removals(bytes, places))), count: places.length };
}

const EMPTY_OBJECT = latin1ToBytes("{}");
const EMPTY_LIST = latin1ToBytes("[]");
const NUMBER_ZERO = latin1ToBytes("0");

/** Empties the objects and lists that `path` matches and sets numbers to 0; how many were not so already. */
export function clearValues(document: JsonText, path: JsonPath): { text: JsonText; count: number } {
  const { bytes, start, end } = document;
  const edits: Edit[] = [];
  for (const place of outermost(selectPlaces(bytes, start, end, path))) {
    const text = clearedText(bytes, place);
    if (text !== undefined) edits.push({ start: place.start, end: place.end, text });
  }
  if (edits.length === 0) return { text: document, count: 0 };
  return { text: wholeText(spliceText(bytes, start, end, edits)), count: edits.length };
}

/** Undefined when there is nothing to clear. */
function clearedText(bytes: Bytes, { start, end }: Place): Bytes | undefined {
  switch (bytes[start]) {
    case OPEN_BRACE:
      return end - start === 2 ? undefined : EMPTY_OBJECT;
    case OPEN_BRACKET:
      return end - start === 2 ? undefined : EMPTY_LIST;
    case QUOTE:
    case 0x74: // true
    case 0x66: // false
    case 0x6e: // null
      return undefined;
    default:
      return Number(bytes.latin1Slice(start, end)) === 0 ? undefined : NUMBER_ZERO;
  }
}

// --- Depth ---

/** How many objects and lists are open at most in the value: 0 for a scalar, 1 for `[]`. */
export function depthOf({ bytes, start, end }: JsonText): number {
  let depth = 0;
  let most = 0;
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = skipString(bytes, at, end);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1;
      if (depth > most) most = depth;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    at += 1;
  }
  return most;
}

/** Throws when a document would nest `depth` deep and may not. */
export function checkDepth(depth: number): void {
  if (depth <= JSON_DEPTH_MAX) return;
  throw new MinikeyError("BAD_REQUEST", `recursion limit exceeded: nested more than ${JSON_DEPTH_MAX} deep`);
}
