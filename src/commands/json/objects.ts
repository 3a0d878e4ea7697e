/** `JSON.OBJKEYS` and `JSON.OBJLEN`: the fields of objects. */
import { hasEscape } from "../../codec/json-name.js";
import { type Bytes, utf8ToBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { decodeString } from "../../document/field-name.js";
import {
  CLOSE_BRACE,
  COMMA,
  countMembers,
  kindAt,
  skipString,
  skipValue,
} from "../../document/json-bytes.js";
import { type Reply, Slice } from "../reply.js";
import { bytesReply } from "../spec.js";
import type { Args, CommandSpec, KeyValueView } from "../types.js";
import {
  checkPaths,
  documentAt,
  existingDocument,
  noSuchPathOr,
  pathArg,
  reading,
  wrongPathType,
} from "./documents.js";
import { placesOf } from "./values.js";

/** So many names may be in one reply: more than the largest value of 8 MiB has. */
const NAMES_MAX = 2_000_000;

const tooManyNames = (): MinikeyError =>
  new MinikeyError("VALUE_TOO_LARGE", `the reply would have more than ${NAMES_MAX} names`);

/** The names of the object that opens at `start`, in its order. */
function namesOf(bytes: Bytes, start: number, end: number): Reply[] {
  const names: Reply[] = [];
  let at = start + 1;
  while (bytes[at] !== CLOSE_BRACE) {
    const nameEnd = skipString(bytes, at, end);
    names.push(
      hasEscape(bytes, at + 1, nameEnd - 1)
        ? bytesReply(utf8ToBytes(decodeString(bytes, at, nameEnd)))
        : new Slice(bytes, at + 1, nameEnd - 1),
    );
    const valueEnd = skipValue(bytes, nameEnd + 1, end);
    at = bytes[valueEnd] === COMMA ? valueEnd + 1 : valueEnd;
  }
  return names;
}

function runKeys(view: KeyValueView, args: Args): Reply {
  const path = pathArg(args, 2);
  const key = args.key(1);
  if (!path.isLegacy) {
    const document = existingDocument(view, key);
    const { bytes } = document;
    let count = 0;
    return placesOf(document, path).map(({ start, end }) => {
      if (kindAt(bytes, start) !== "object") return null;
      const names = namesOf(bytes, start, end);
      count += names.length;
      if (count > NAMES_MAX) throw tooManyNames();
      return names;
    });
  }
  const document = documentAt(view, key);
  const first = document === undefined ? undefined : placesOf(document, path).at(0);
  if (document === undefined || first === undefined) return null;
  if (kindAt(document.bytes, first.start) !== "object") throw noSuchPathOr("not an object");
  return namesOf(document.bytes, first.start, first.end);
}

function runLength(view: KeyValueView, args: Args): Reply {
  const path = pathArg(args, 2);
  const document = documentAt(view, args.key(1));
  if (document === undefined) {
    if (path.isLegacy) return null;
    throw noSuchPathOr("not an object");
  }
  const { bytes } = document;
  const places = placesOf(document, path);
  if (!path.isLegacy) {
    return places.map(({ start, end }) =>
      kindAt(bytes, start) === "object" ? countMembers(bytes, start, end) : null,
    );
  }
  const first = places.at(0);
  if (first === undefined) return null;
  if (kindAt(bytes, first.start) !== "object") throw wrongPathType("object");
  return countMembers(bytes, first.start, first.end);
}

export const JSON_OBJECT_COMMANDS: readonly CommandSpec[] = [
  reading({
    name: "JSON.OBJKEYS",
    opcode: 138,
    arity: -2,
    summary: "Return the keys in the object that's referenced by path",
    check: checkPaths("JSON.OBJKEYS", 2, 1),
    run: runKeys,
  }),
  reading({
    name: "JSON.OBJLEN",
    opcode: 139,
    arity: -2,
    summary: "Report the number of keys in the JSON object at path in key",
    check: checkPaths("JSON.OBJLEN", 2, 1),
    run: runLength,
  }),
];
