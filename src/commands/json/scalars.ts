/** `JSON.NUMINCRBY`, `JSON.NUMMULTBY`, `JSON.TOGGLE`, `JSON.STRAPPEND`, `JSON.STRLEN`: numbers, booleans, strings. */
import { hasEscape } from "../../codec/json-name.js";
import { type Bytes, concatBytes, latin1ToBytes, utf8Length } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { decodeString } from "../../document/field-name.js";
import { kindAt } from "../../document/json-bytes.js";
import type { JsonText, ValueEdit } from "../../document/json-edit.js";
import { type Arithmetic, calculate, integerOf } from "../../document/json-number.js";
import { type JsonPath, LEGACY_ROOT } from "../../document/json-path.js";
import { wrongArity } from "../errors.js";
import { refusedEventually, WOULD_LOSE } from "../eventual.js";
import { DoubleReply, ProtocolReply, type Reply } from "../reply.js";
import type { Args, CommandSpec, KeyValueView } from "../types.js";
import {
  checkPaths,
  documentAt,
  editDocument,
  existingDocument,
  lastResult,
  pathArg,
  reading,
  UNTOUCHED,
  valueArg,
  withCanonicalValues,
  writing,
  wrongPathType,
} from "./documents.js";
import { firstOf, placesOf } from "./values.js";

// --- Numbers ---

function numberArg(args: Args, i: number): string {
  const { bytes, start, end } = valueArg(args, i);
  if (kindAt(bytes, start) !== "number") throw new MinikeyError("BAD_REQUEST", "bad input number");
  return bytes.latin1Slice(start, end);
}

function prepareCalculation(args: Args): Args {
  pathArg(args, 2);
  const prepared = withCanonicalValues(args, 3);
  numberArg(prepared, 3);
  return prepared;
}

const calculation =
  (by: Arithmetic) =>
  (view: KeyValueView, args: Args): Reply => {
    const path = pathArg(args, 2);
    const operand = numberArg(args, 3);
    const results = editDocument(view, args, path, ({ bytes, start, end }): ValueEdit<string | null> => {
      if (kindAt(bytes, start) !== "number") return UNTOUCHED;
      const text = calculate(by, bytes.latin1Slice(start, end), operand);
      return { text: latin1ToBytes(text), result: text };
    });
    const resp3 = results.map((text) => (text === null ? null : numberReply(text)));
    const resp2 = path.isLegacy
      ? lastResult(results, "does not contains a number")
      : `[${results.map((text) => text ?? "null").join(",")}]`;
    return new ProtocolReply(resp2, resp3);
  };

function numberReply(text: string): Reply {
  const integer = integerOf(text);
  if (integer === undefined) return new DoubleReply(Number(text));
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

// --- Booleans ---

const TRUE = latin1ToBytes("true");
const FALSE = latin1ToBytes("false");

function runToggle(view: KeyValueView, args: Args): Reply {
  const path = pathArg(args, 2);
  const results = editDocument(view, args, path, ({ bytes, start, end }): ValueEdit<number | null> => {
    if (kindAt(bytes, start) !== "boolean") return UNTOUCHED;
    return end - start === TRUE.length ? { text: FALSE, result: 0 } : { text: TRUE, result: 1 };
  });
  if (!path.isLegacy) return results;
  return lastResult(results, "not a bool") === 1 ? "true" : "false";
}

// --- Strings ---

/** Bytes of the UTF-8 of a JSON string. */
function stringLength({ bytes, start, end }: JsonText): number {
  if (!hasEscape(bytes, start + 1, end - 1)) return end - start - 2;
  return utf8Length(decodeString(bytes, start, end));
}

/** Two JSON strings as one: the second without its opening quote behind the first without its closing one. */
function joined(first: JsonText, second: JsonText): Bytes {
  return concatBytes([
    first.bytes.subarray(first.start, first.end - 1),
    second.bytes.subarray(second.start + 1, second.end),
  ]);
}

/** `JSON.STRAPPEND key [path] value` */
function appendArgs(args: Args): { path: JsonPath; value: JsonText } {
  const value = valueArg(args, args.count - 1);
  if (kindAt(value.bytes, value.start) !== "text") throw wrongPathType("string");
  return { path: args.count === 4 ? pathArg(args, 2) : LEGACY_ROOT, value };
}

function runAppend(view: KeyValueView, args: Args): Reply {
  const { path, value } = appendArgs(args);
  const results = editDocument(view, args, path, (old): ValueEdit<number | null> => {
    if (kindAt(old.bytes, old.start) !== "text") return UNTOUCHED;
    const text = joined(old, value);
    return { text, result: stringLength({ bytes: text, start: 0, end: text.length }) };
  });
  return path.isLegacy ? lastResult(results, "not a string") : results;
}

function runLength(view: KeyValueView, args: Args): Reply {
  const path = pathArg(args, 2);
  if (path.isLegacy) {
    const document = documentAt(view, args.key(1));
    if (document === undefined) return null;
    const first = firstOf(document, path);
    if (kindAt(first.bytes, first.start) !== "text") throw wrongPathType("string");
    return stringLength(first);
  }
  const document = existingDocument(view, args.key(1));
  const { bytes } = document;
  return placesOf(document, path).map(({ start, end }) =>
    kindAt(bytes, start) === "text" ? stringLength({ bytes, start, end }) : null,
  );
}

export const JSON_SCALAR_COMMANDS: readonly CommandSpec[] = [
  writing({
    name: "JSON.NUMINCRBY",
    opcode: 127,
    arity: 4,
    eventual: refusedEventually("JSON.NUMINCRBY", WOULD_LOSE),
    summary: "Increment the number value stored at path by number",
    prepare: prepareCalculation,
    run: calculation("add"),
  }),
  writing({
    name: "JSON.NUMMULTBY",
    opcode: 128,
    arity: 4,
    eventual: refusedEventually("JSON.NUMMULTBY", WOULD_LOSE),
    summary: "Multiply the number value stored at path by number",
    prepare: prepareCalculation,
    run: calculation("multiply"),
  }),
  writing({
    name: "JSON.TOGGLE",
    opcode: 129,
    arity: 3,
    summary: "Toggle the boolean value stored at path",
    check: checkPaths("JSON.TOGGLE", 2, 1),
    run: runToggle,
  }),
  writing({
    name: "JSON.STRAPPEND",
    opcode: 130,
    arity: -3,
    summary: "Append the json-string values to the string at path",
    prepare: (args) => {
      if (args.count > 4) throw wrongArity("json.strappend");
      const prepared = withCanonicalValues(args, args.count - 1);
      appendArgs(prepared);
      return prepared;
    },
    run: runAppend,
  }),
  reading({
    name: "JSON.STRLEN",
    opcode: 131,
    arity: -2,
    summary: "Report the length of the JSON String at path in key",
    check: checkPaths("JSON.STRLEN", 2, 1),
    run: runLength,
  }),
];
