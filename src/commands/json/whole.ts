/** `JSON.SET`, `JSON.MERGE`, `JSON.DEL`, `JSON.CLEAR`: what changes a document as a whole or in any place. */
import {
  addField,
  checkDepth,
  clearValues,
  deleteValues,
  depthOf,
  editPlaces,
  type JsonText,
  type SetCondition,
  setValue,
  wholeText,
} from "../../document/json-edit.js";
import { mergePatch } from "../../document/json-merge.js";
import type { JsonPath } from "../../document/json-path.js";
import type { DocumentWork } from "../../document/json-work.js";
import { syntaxError } from "../errors.js";
import { BOTH_FIND_NONE, MAY_BE_GONE, refusedWith } from "../eventual.js";
import { OK, type Reply } from "../reply.js";
import { isWord } from "../spec.js";
import type { Args, CommandSpec, KeyValueView } from "../types.js";
import {
  checkPaths,
  documentAt,
  existingDocument,
  isRoot,
  notAtRoot,
  pathArg,
  storeDocument,
  valueArg,
  withCanonicalValues,
  writing,
} from "./documents.js";

// --- JSON.SET ---

/** `JSON.SET key path value [NX|XX] [FORMAT JSON|STRING]`, in any order. */
function parseCondition(args: Args): SetCondition {
  let condition: SetCondition = "any";
  for (let i = 4; i < args.count; i += 1) {
    if (isWord(args, i, "NX") && condition === "any") condition = "absent";
    else if (isWord(args, i, "XX") && condition === "any") condition = "present";
    else if (isWord(args, i, "FORMAT") && i + 1 < args.count) {
      i += 1;
      if (!isWord(args, i, "JSON") && !isWord(args, i, "STRING")) throw syntaxError();
    } else throw syntaxError();
  }
  return condition;
}

/**
 * What a document, or its absence, becomes when `value` is set at `path`; undefined when the condition or the
 * document does not allow it.
 */
export function withValue(
  document: JsonText | undefined,
  path: JsonPath,
  value: JsonText,
  condition: SetCondition,
  work?: DocumentWork,
): JsonText | undefined {
  if (document === undefined) {
    if (condition === "present") return undefined;
    if (!isRoot(path)) throw notAtRoot();
    return value;
  }
  if (isRoot(path)) return condition === "absent" ? undefined : value;
  return setValue(document, path, value, condition, work);
}

function runSet(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const old = documentAt(view, key);
  const text = withValue(old, pathArg(args, 2), valueArg(args, 3), parseCondition(args));
  if (text === undefined) return null;
  storeDocument(view, key, old, text);
  return OK;
}

// --- JSON.MERGE ---

function runMerge(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const path = pathArg(args, 2);
  const patch = valueArg(args, 3);
  const old = documentAt(view, key);
  const text = old === undefined ? newDocument(path, patch) : merged(old, path, patch);
  if (text === undefined) return null;
  storeDocument(view, key, old, text);
  return OK;
}

function newDocument(path: JsonPath, patch: JsonText): JsonText {
  if (!isRoot(path)) throw notAtRoot();
  return wholeText(mergePatch(undefined, patch));
}

function merged(document: JsonText, path: JsonPath, patch: JsonText): JsonText | undefined {
  const patchDepth = depthOf(patch);
  const { text, results } = editPlaces(document, path, (value, depth) => {
    checkDepth(depth + patchDepth);
    return { text: mergePatch(value, patch), result: undefined };
  });
  return results.length > 0 ? text : addField(document, path, wholeText(mergePatch(undefined, patch)));
}

// --- JSON.DEL, JSON.CLEAR ---

function runDelete(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const path = pathArg(args, 2);
  const old = documentAt(view, key);
  if (old === undefined) return 0;
  if (isRoot(path)) {
    view.delete(key);
    return 1;
  }
  const { text, count } = deleteValues(old, path);
  // A document of which nothing is left goes too, as in RedisJSON.
  if (count > 0 && text.end - text.start === 2) view.delete(key);
  else if (count > 0) storeDocument(view, key, old, text);
  return count;
}

function runClear(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const path = pathArg(args, 2);
  const old = existingDocument(view, key);
  const { text, count } = clearValues(old, path);
  if (count > 0) storeDocument(view, key, old, text);
  return count;
}

function prepareSet(args: Args): Args {
  parseCondition(args);
  pathArg(args, 2);
  return withCanonicalValues(args, 3, args.count);
}

const deletion = (name: string, opcode: number): CommandSpec =>
  writing({
    name,
    opcode,
    arity: -2,
    summary: "Delete a value",
    check: checkPaths(name, 2, 1),
    run: runDelete,
  });

export const JSON_WHOLE_COMMANDS: readonly CommandSpec[] = [
  writing({
    name: "JSON.SET",
    opcode: 122,
    arity: -4,
    eventual: refusedWith("JSON.SET", 4, [
      ["NX", BOTH_FIND_NONE],
      ["XX", MAY_BE_GONE],
    ]),
    summary: "Set the JSON value at path in key",
    prepare: prepareSet,
    run: runSet,
  }),
  writing({
    name: "JSON.MERGE",
    opcode: 123,
    arity: 4,
    summary: "Merge a JSON value into the values at path",
    prepare: prepareSet,
    run: runMerge,
  }),
  deletion("JSON.DEL", 124),
  deletion("JSON.FORGET", 125),
  writing({
    name: "JSON.CLEAR",
    opcode: 126,
    arity: -2,
    summary: "Clear container values (arrays/objects) and set numeric values to 0",
    check: checkPaths("JSON.CLEAR", 2, 1),
    run: runClear,
  }),
];
