/** `JSON.GET`, `JSON.TYPE` and what they and `JSON.MGET` make of what a path matches. */
import {
  allocUnsafeBytes,
  type Bytes,
  concatBytes,
  copyInto,
  latin1ToBytes,
  utf8ToBytes,
} from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { CLOSE_BRACKET, COMMA, kindAt, OPEN_BRACKET } from "../../document/json-bytes.js";
import { type JsonText, wholeText } from "../../document/json-edit.js";
import { numberKind } from "../../document/json-number.js";
import { type JsonPath, LEGACY_ROOT } from "../../document/json-path.js";
import { type Layout, layOut, REPLY_BYTES_MAX, replyTooLarge } from "../../document/json-print.js";
import { type Place, selectPlaces } from "../../document/json-select.js";
import { joinTexts } from "../../document/json-splice.js";
import { DocumentWork } from "../../document/json-work.js";
import { syntaxError } from "../errors.js";
import { ProtocolReply, type Reply, Slice } from "../reply.js";
import { isWord } from "../spec.js";
import type { Args, CommandSpec, KeyValueView } from "../types.js";
import { checkPaths, documentAt, noSuchPath, pathArg, reading } from "./documents.js";

export const placesOf = ({ bytes, start, end }: JsonText, path: JsonPath, work?: DocumentWork): Place[] =>
  selectPlaces(bytes, start, end, path, work);

export const textReply = ({ bytes, start, end }: JsonText): Slice => new Slice(bytes, start, end);

const OPEN_OBJECT = latin1ToBytes("{");
const CLOSE_OBJECT = latin1ToBytes("}");

/** All that the path matches, as a JSON list. */
function listOf(document: JsonText, path: JsonPath, work?: DocumentWork): Bytes {
  const places = placesOf(document, path, work);
  let sizeBytes = 0;
  for (const { start, end } of places) sizeBytes += end - start;
  if (sizeBytes > REPLY_BYTES_MAX) throw replyTooLarge();
  // There may be millions: no view is made of each.
  const list = allocUnsafeBytes(sizeBytes + Math.max(places.length - 1, 0) + 2);
  list[0] = OPEN_BRACKET;
  let at = 1;
  for (const { start, end } of places) {
    if (at > 1) {
      list[at] = COMMA;
      at += 1;
    }
    copyInto(list, at, document.bytes, start, end);
    at += end - start;
  }
  list[at] = CLOSE_BRACKET;
  return list;
}

/** The first value that the path matches; throws when there is none. */
export function firstOf(document: JsonText, path: JsonPath, work?: DocumentWork): JsonText {
  const place = placesOf(document, path, work).at(0);
  if (place === undefined) throw noSuchPath();
  return { bytes: document.bytes, start: place.start, end: place.end };
}

/** What `path` stands for in JSON: of a legacy path the first match, else a list of all. */
export const valueAt = (document: JsonText, path: JsonPath, work?: DocumentWork): JsonText =>
  path.isLegacy ? firstOf(document, path, work) : wholeText(listOf(document, path, work));

/** An object of what each path stands for; when any is a JSONPath, legacy paths are lists too. */
function valuesAt(document: JsonText, paths: readonly JsonPath[]): JsonText {
  const areLegacy = paths.every((path) => path.isLegacy);
  const fields = new Map<string, Bytes>();
  const work = new DocumentWork(document.end - document.start);
  let sizeBytes = 0;
  for (const path of paths) {
    const { bytes, start, end } = areLegacy
      ? firstOf(document, path, work)
      : wholeText(listOf(document, path, work));
    sizeBytes += end - start;
    if (sizeBytes > REPLY_BYTES_MAX) throw replyTooLarge();
    const name = utf8ToBytes(`${JSON.stringify(path.text)}:`);
    fields.set(path.text, concatBytes([name, bytes.subarray(start, end)]));
  }
  return wholeText(concatBytes([OPEN_OBJECT, joinTexts([...fields.values()]), CLOSE_OBJECT]));
}

// --- JSON.GET ---

interface GetOptions {
  readonly layout: Layout | undefined;
  readonly paths: readonly JsonPath[];
}

/** `JSON.GET key [INDENT text] [NEWLINE text] [SPACE text] [path …]`, in any order. */
function parseGet(args: Args): GetOptions {
  const layout = { indent: "", newline: "", space: "" };
  let isLaidOut = false;
  const paths: JsonPath[] = [];
  for (let i = 2; i < args.count; i += 1) {
    const option = isWord(args, i, "INDENT")
      ? "indent"
      : isWord(args, i, "NEWLINE")
        ? "newline"
        : isWord(args, i, "SPACE")
          ? "space"
          : undefined;
    if (option !== undefined) {
      if (i + 1 >= args.count) throw syntaxError();
      layout[option] = args.key(i + 1);
      isLaidOut = true;
      i += 1;
    } else if (isWord(args, i, "FORMAT")) {
      if (i + 1 >= args.count) throw syntaxError();
      if (!isWord(args, i + 1, "STRING")) {
        throw new MinikeyError("UNSUPPORTED", "of the reply formats only FORMAT STRING is supported");
      }
      i += 1;
    } else if (!isWord(args, i, "NOESCAPE")) {
      paths.push(pathArg(args, i));
    }
  }
  return { layout: isLaidOut ? layout : undefined, paths: paths.length > 0 ? paths : [LEGACY_ROOT] };
}

function runGet(view: KeyValueView, args: Args): Reply {
  const { layout, paths } = parseGet(args);
  const document = documentAt(view, args.key(1));
  if (document === undefined) return null;
  const text = paths.length === 1 ? valueAt(document, paths[0]) : valuesAt(document, paths);
  return textReply(layout === undefined ? text : wholeText(layOut(text, layout)));
}

// --- JSON.TYPE ---

/** RedisJSON's word for the kind of a value. */
function typeName(bytes: Bytes, { start, end }: Place): string {
  const kind = kindAt(bytes, start);
  if (kind === "number") return numberKind(bytes, start, end);
  return kind === "text" ? "string" : kind;
}

function runType(view: KeyValueView, args: Args): Reply {
  const path = pathArg(args, 2);
  const document = documentAt(view, args.key(1));
  let types: Reply = null;
  if (document !== undefined) {
    const names = placesOf(document, path).map((place) => typeName(document.bytes, place));
    types = path.isLegacy ? (names.at(0) ?? null) : names;
  }
  return new ProtocolReply(types, [types]);
}

export const JSON_VALUE_COMMANDS: readonly CommandSpec[] = [
  reading({
    name: "JSON.GET",
    opcode: 120,
    arity: -2,
    summary: "Get JSON value at path",
    check: (args) => {
      parseGet(args);
    },
    run: runGet,
  }),
  reading({
    name: "JSON.TYPE",
    opcode: 121,
    arity: -2,
    summary: "Report the type of JSON value at path",
    check: checkPaths("JSON.TYPE", 2, 1),
    run: runType,
  }),
];
