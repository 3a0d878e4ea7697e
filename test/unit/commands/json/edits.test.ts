/** The `JSON.*` commands on random documents and paths, held against a model on plain JavaScript values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { canonicalJson } from "../../../../src/codec/json-canonical.js";
import { argsOf, type Plain, plain } from "../../../support/commands.js";
import { HandClock } from "../../../support/hand-clock.js";
import { MemoryDatabase } from "../../../support/memory-database.js";
import { anyDocument, escapedJson, type Json } from "../../document/documents.js";
import {
  anyStep,
  change,
  type ModelStep,
  mergePatch,
  outermostWays,
  pathText,
  put,
  remove,
  valueAt,
  type Way,
  waysOf,
} from "../../document/json-model.js";

interface Case {
  readonly document: Json;
  readonly ways: readonly Way[];
  /** What stands at the matches at first. */
  readonly values: readonly Json[];
}

/** What the document is to become; undefined when the command may refuse. */
type Model = (given: Case) => Json | undefined;

/** Words behind key and path, and the model. */
type Operation = readonly [name: string, words: readonly string[], model: Model];

const clone = (value: Json): Json => JSON.parse(JSON.stringify(value)) as Json;
const text = (value: Json): string => JSON.stringify(value);

const isNonzero = (value: Json): boolean => typeof value === "number" && value !== 0;
const hasMembers = (value: Json): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length > 0;

const onLists =
  (how: (list: Json[]) => Json[]): Model =>
  ({ document, ways }) =>
    change(document, ways, (value) => (Array.isArray(value) ? how(value) : undefined));

function cleared(value: Json): Json {
  if (typeof value === "number") return 0;
  return Array.isArray(value) ? [] : {};
}

function clamped(index: number, length: number): number {
  return index < 0 ? Math.max(length + index, 0) : Math.min(index, length - 1);
}

function trimmed(list: Json[], start: number, stop: number): Json[] {
  if (start >= list.length) return [];
  return list.slice(clamped(start, list.length), clamped(stop, list.length) + 1);
}

function popped(list: Json[], index: number): Json[] {
  return list.length === 0 ? list : list.toSpliced(clamped(index, list.length), 1);
}

const small = anyDocument.filter((document) => text(document).length < 100);
const position = fc.integer({ min: -3, max: 3 });

const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  small.map(
    (value): Operation => [
      "JSON.SET",
      [escapedJson(value), "XX"],
      ({ document, ways }) =>
        outermostWays(ways).reduce((result, way) => put(result, way, clone(value)), document),
    ],
  ),
  small.map(
    (patch): Operation => [
      "JSON.MERGE",
      [text(patch)],
      // With no match it adds a field, as JSON.SET does.
      ({ document, ways }) =>
        ways.length === 0 ? undefined : change(document, ways, (value) => mergePatch(value, clone(patch))),
    ],
  ),
  fc.constant<Operation>([
    "JSON.DEL",
    [],
    ({ document, ways }) => {
      if (ways.some((way) => way.length === 0)) return undefined;
      remove(document, outermostWays(ways));
      return document;
    },
  ]),
  fc.constant<Operation>([
    "JSON.CLEAR",
    [],
    ({ document, ways }) =>
      change(document, outermostWays(ways), (value) =>
        isNonzero(value) || hasMembers(value) ? cleared(value) : undefined,
      ),
  ]),
  fc
    .constantFrom(1, -3, 0.25)
    .map(
      (by): Operation => [
        "JSON.NUMINCRBY",
        [String(by)],
        ({ document, ways }) =>
          change(document, ways, (value) => (typeof value === "number" ? value + by : undefined)),
      ],
    ),
  fc.constant<Operation>([
    "JSON.TOGGLE",
    [],
    ({ document, ways }) =>
      change(document, ways, (value) => (typeof value === "boolean" ? !value : undefined)),
  ]),
  fc
    .string({ unit: "binary", maxLength: 5 })
    .map(
      (more): Operation => [
        "JSON.STRAPPEND",
        [text(more)],
        ({ document, ways }) =>
          change(document, ways, (value) => (typeof value === "string" ? value + more : undefined)),
      ],
    ),
  fc
    .array(small, { minLength: 1, maxLength: 2 })
    .map(
      (items): Operation => [
        "JSON.ARRAPPEND",
        items.map(escapedJson),
        onLists((list) => [...list, ...items.map(clone)]),
      ],
    ),
  small.map(
    (item): Operation => ["JSON.ARRINSERT", ["0", text(item)], onLists((list) => [clone(item), ...list])],
  ),
  position.map(
    (index): Operation => ["JSON.ARRPOP", [String(index)], onLists((list) => popped(list, index))],
  ),
  fc
    .tuple(position, position)
    .map(
      ([start, stop]): Operation => [
        "JSON.ARRTRIM",
        [String(start), String(stop)],
        onLists((list) => trimmed(list, start, stop)),
      ],
    ),
);

const anyCase = fc.tuple(anyDocument, fc.array(anyStep, { maxLength: 3 }), anyOperation, fc.boolean());

test("an edit gives the document that the model gives, in canonical text", () => {
  let edited = 0;
  fc.assert(
    fc.property(anyCase, ([document, steps, [name, words, model], isEscaped]) => {
      const path = pathText(steps);
      const database = new MemoryDatabase({ clock: new HandClock() });
      const call = (...all: string[]): Plain => plain(database.execute(argsOf(...all)));
      assert.equal(call("JSON.SET", "k", "$", isEscaped ? escapedJson(document) : text(document)), "+OK");
      const reply = call(name, "k", path, ...words);
      const ways = waysOf(document, steps);
      const values = ways.map((way) => valueAt(document, way));
      const expected = model({ document: clone(document), ways, values });
      const found = call("GET", "k") as string | null;
      const what = `${name} ${path} ${words.join(" ")} on ${text(document)} replied ${text(reply as Json)}`;
      if (expected === undefined) return;
      if (found === null) {
        assert.ok(name === "JSON.DEL" && !hasMembers(expected), what);
        return;
      }
      assert.deepEqual(JSON.parse(found), expected, what);
      assertCanonical(found);
      if (ways.length > 0) edited += 1;
    }),
    { numRuns: 4000 },
  );
  assert.ok(edited > 1000, `${edited} edits changed something`);
});

function assertCanonical(found: string): void {
  const bytes = argsOf(found);
  const canonical = canonicalJson(bytes.bytes, bytes.start(0), bytes.end(0));
  assert.ok(canonical.kind === "canonical" && canonical.bytes === bytes.bytes, found);
}

test("a field is added where its object is, and only there", () => {
  const anyNames = fc.array(
    anyStep.filter((step): step is ModelStep & { kind: "names" } => step.kind === "names" && !step.deep),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(anyDocument, anyNames, small, (document, names, value) => {
      const steps = names.map((step) => ({ ...step, names: step.names.slice(0, 1) }));
      const database = new MemoryDatabase({ clock: new HandClock() });
      const call = (...all: string[]): Plain => plain(database.execute(argsOf(...all)));
      call("JSON.SET", "k", "$", escapedJson(document));
      const [parent] = waysOf(document, steps.slice(0, -1));
      const target = parent === undefined ? undefined : valueAt(document, parent);
      const [name] = steps[steps.length - 1].names;
      const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
      const isNew = isObject && !Object.hasOwn(target, name);
      const reply = call("JSON.SET", "k", pathText(steps), text(value), "NX");
      assert.equal(reply, isNew ? "+OK" : null);
      const expected = isNew ? put(clone(document), [...parent, name], value) : document;
      const found = call("GET", "k") as string;
      assert.deepEqual(JSON.parse(found), expected);
      assertCanonical(found);
    }),
    { numRuns: 1500 },
  );
});
