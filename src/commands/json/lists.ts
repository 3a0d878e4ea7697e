/** `JSON.ARRAPPEND`, `ARRINSERT`, `ARRPOP`, `ARRTRIM`, `ARRINDEX`, `ARRLEN`: lists, "arrays" in RedisJSON. */
import { type Bytes, concatBytes, latin1ToBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import {
  COMMA,
  countMembers,
  kindAt,
  OPEN_BRACKET,
  parseStored,
  skipValue,
} from "../../document/json-bytes.js";
import { checkDepth, depthOf, type JsonText, type ValueEdit, viewOf } from "../../document/json-edit.js";
import { isEqualJson } from "../../document/json-equal.js";
import { type JsonPath, LEGACY_ROOT } from "../../document/json-path.js";
import { joinTexts } from "../../document/json-splice.js";
import { elementAt } from "../../document/lookup.js";
import { wrongArity } from "../errors.js";
import { type Reply, Slice } from "../reply.js";
import { isWord, numberArg } from "../spec.js";
import type { Args, CommandSpec, KeyValueView } from "../types.js";
import {
  canonicalArg,
  checkPaths,
  documentAt,
  editDocument,
  existingDocument,
  lastResult,
  noSuchPath,
  noSuchPathOr,
  pathArg,
  reading,
  UNTOUCHED,
  valueArgs,
  withCanonicalValues,
  writing,
  wrongPathType,
} from "./documents.js";
import { firstOf, placesOf } from "./values.js";

const isList = ({ bytes, start }: JsonText): boolean => bytes[start] === OPEN_BRACKET;

const lengthOf = ({ bytes, start, end }: JsonText): number => countMembers(bytes, start, end);

const COMMA_TEXT = latin1ToBytes(",");
const EMPTY_LIST = latin1ToBytes("[]");
const OPEN = latin1ToBytes("[");
const CLOSE = latin1ToBytes("]");

/** Edits the lists that a path matches; of a legacy path the last result is the reply. */
function editLists<Result extends Reply>(
  view: KeyValueView,
  args: Args,
  path: JsonPath,
  edit: (list: JsonText, depth: number) => ValueEdit<Result>,
): Reply {
  let hasList = false;
  const results = editDocument(view, args, path, (value, depth): ValueEdit<Result | null> => {
    if (!isList(value)) return UNTOUCHED;
    hasList = true;
    return edit(value, depth);
  });
  if (!path.isLegacy) return results;
  // An empty list has nothing to pop, but is one.
  if (hasList && results.every((result) => result === null)) return null;
  return lastResult(results, "not an array");
}

// --- ARRAPPEND, ARRINSERT ---

/** `list` with `items` before the element at `position`, which is its length for the end. */
function inserted(list: JsonText, position: number, items: Bytes): Bytes {
  const { bytes, start, end } = list;
  const element = elementAt(bytes, start, end, position);
  if (end - start === 2) return concatBytes([OPEN, items, CLOSE]);
  if (element < 0) return concatBytes([bytes.subarray(start, end - 1), COMMA_TEXT, items, CLOSE]);
  return concatBytes([bytes.subarray(start, element), items, COMMA_TEXT, bytes.subarray(element, end)]);
}

/** Puts values into lists at a position, which `where` gives for a list's length. */
function insert(
  view: KeyValueView,
  args: Args,
  values: readonly JsonText[],
  where: (length: number) => number,
): Reply {
  const items = joinTexts(values.map(viewOf));
  const itemsDepth = values.reduce((most, value) => Math.max(most, depthOf(value)), 0);
  return editLists(view, args, pathArg(args, 2), (list, depth) => {
    checkDepth(depth + 1 + itemsDepth);
    const length = lengthOf(list);
    return { text: inserted(list, where(length), items), result: length + values.length };
  });
}

const runAppend = (view: KeyValueView, args: Args): Reply =>
  insert(view, args, valueArgs(args, 3), (length) => length);

function runInsert(view: KeyValueView, args: Args): Reply {
  const index = numberArg(args, 3);
  return insert(view, args, valueArgs(args, 4), (length) => {
    const position = index < 0 ? length + index : index;
    if (position < 0 || position > length) throw new MinikeyError("OUT_OF_RANGE", "index out of bounds");
    return position;
  });
}

// --- ARRPOP, ARRTRIM ---

/** Of a position from the end the one from the start, within `[0, length − 1]`. */
const clamped = (index: number, length: number): number =>
  index < 0 ? Math.max(length + index, 0) : Math.min(index, length - 1);

/** The elements of `list` from `first` to `last`, as a list. */
function sliceOf({ bytes, start, end }: JsonText, first: number, last: number): Bytes {
  if (first > last) return EMPTY_LIST;
  const from = elementAt(bytes, start, end, first);
  let to = from;
  for (let i = first; i <= last; i += 1) to = skipValue(bytes, i === first ? from : to + 1, end);
  return concatBytes([OPEN, bytes.subarray(from, to), CLOSE]);
}

interface PopArgs {
  readonly path: JsonPath;
  readonly index: number;
}

/** `JSON.ARRPOP key [path [index]]` */
function popArgs(args: Args): PopArgs {
  if (args.count > 3 && isWord(args, 2, "FORMAT")) {
    throw new MinikeyError("UNSUPPORTED", "FORMAT is not supported");
  }
  if (args.count > 4) throw wrongArity("json.arrpop");
  return {
    path: args.count > 2 ? pathArg(args, 2) : LEGACY_ROOT,
    index: args.count > 3 ? numberArg(args, 3) : -1,
  };
}

function runPop(view: KeyValueView, args: Args): Reply {
  const { path, index } = popArgs(args);
  return editLists<Reply>(view, args, path, (list) => {
    const length = lengthOf(list);
    if (length === 0) return UNTOUCHED;
    const { bytes, start, end } = list;
    const from = elementAt(bytes, start, end, clamped(index, length));
    const to = skipValue(bytes, from, end);
    const popped = new Slice(bytes, from, to);
    const isLast = bytes[to] !== COMMA;
    const isOnly = length === 1;
    const text = isOnly
      ? EMPTY_LIST
      : concatBytes([
          bytes.subarray(start, isLast ? from - 1 : from),
          bytes.subarray(isLast ? to : to + 1, end),
        ]);
    return { text, result: popped };
  });
}

function runTrim(view: KeyValueView, args: Args): Reply {
  const start = numberArg(args, 3);
  const stop = numberArg(args, 4);
  return editLists(view, args, pathArg(args, 2), (list) => {
    const length = lengthOf(list);
    const last = clamped(stop, length);
    const first = start < length ? clamped(start, length) : length;
    if (first === 0 && last === length - 1) return { text: undefined, result: length };
    return { text: sliceOf(list, first, last), result: Math.max(last - first + 1, 0) };
  });
}

// --- ARRINDEX, ARRLEN ---

/** The first position from `start` up to `stop` (0: the end) that holds `value`; −1 for none. */
function indexOf({ bytes, start: open, end }: JsonText, value: unknown, start: number, stop: number): number {
  const length = countMembers(bytes, open, end);
  if (length === 0) return -1;
  const first = clamped(start, length);
  const last = stop === 0 ? length : stop < 0 ? Math.max(length + stop, 0) : Math.min(stop, length);
  let at = elementAt(bytes, open, end, first);
  for (let i = first; i < last; i += 1) {
    const valueEnd = skipValue(bytes, at, end);
    if (isEqualJson(parseStored(bytes, at, valueEnd), value)) return i;
    at = valueEnd + 1;
  }
  return -1;
}

function runIndex(view: KeyValueView, args: Args): Reply {
  const path = pathArg(args, 2);
  const value = parseStored(args.bytes, args.start(3), args.end(3));
  const start = args.count > 4 ? numberArg(args, 4) : 0;
  const stop = args.count > 5 ? numberArg(args, 5) : 0;
  const document = documentAt(view, args.key(1));
  if (document === undefined) throw noSuchPath();
  if (path.isLegacy) {
    const list = firstOf(document, path);
    if (!isList(list)) throw wrongPathType("array");
    return indexOf(list, value, start, stop);
  }
  const { bytes } = document;
  return placesOf(document, path).map((place) =>
    kindAt(bytes, place.start) === "array"
      ? indexOf({ bytes, start: place.start, end: place.end }, value, start, stop)
      : null,
  );
}

function checkIndex(args: Args): void {
  if (args.count > 6) throw wrongArity("json.arrindex");
  pathArg(args, 2);
  canonicalArg(args, 3);
  for (let i = 4; i < args.count; i += 1) numberArg(args, i);
}

function runLength(view: KeyValueView, args: Args): Reply {
  const path = pathArg(args, 2);
  if (!path.isLegacy) {
    const document = existingDocument(view, args.key(1));
    const { bytes } = document;
    return placesOf(document, path).map(({ start, end }) =>
      kindAt(bytes, start) === "array" ? countMembers(bytes, start, end) : null,
    );
  }
  const document = documentAt(view, args.key(1));
  if (document === undefined) return null;
  const first = firstOf(document, path);
  if (!isList(first)) throw noSuchPathOr("not an array");
  return lengthOf(first);
}

export const JSON_LIST_COMMANDS: readonly CommandSpec[] = [
  writing({
    name: "JSON.ARRAPPEND",
    opcode: 132,
    arity: -4,
    summary: "Append the JSON values into the array at path after the last element in it",
    prepare: (args) => {
      pathArg(args, 2);
      return withCanonicalValues(args, 3);
    },
    run: runAppend,
  }),
  writing({
    name: "JSON.ARRINSERT",
    opcode: 133,
    arity: -5,
    summary: "Insert the json values into the array at path before the index (shifts to the right)",
    prepare: (args) => {
      pathArg(args, 2);
      numberArg(args, 3);
      return withCanonicalValues(args, 4);
    },
    run: runInsert,
  }),
  writing({
    name: "JSON.ARRPOP",
    opcode: 134,
    arity: -2,
    summary: "Remove and return the element at the specified index in the array at path",
    check: (args) => {
      popArgs(args);
    },
    run: runPop,
  }),
  writing({
    name: "JSON.ARRTRIM",
    opcode: 135,
    arity: 5,
    summary: "Trim an array so that it contains only the specified inclusive range of elements",
    check: (args) => {
      pathArg(args, 2);
      numberArg(args, 3);
      numberArg(args, 4);
    },
    run: runTrim,
  }),
  reading({
    name: "JSON.ARRINDEX",
    opcode: 136,
    arity: -4,
    summary: "Search for the first occurrence of a JSON value in an array",
    check: checkIndex,
    run: runIndex,
  }),
  reading({
    name: "JSON.ARRLEN",
    opcode: 137,
    arity: -2,
    summary: "Report the length of the JSON array at path in key",
    check: checkPaths("JSON.ARRLEN", 2, 1),
    run: runLength,
  }),
];
