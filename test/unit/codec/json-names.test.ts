/** Objects with very many names, and objects made to be slow, cost no more than reading them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { canonicalJson } from "../../../src/codec/json-canonical.js";
import { nameOf } from "../../../src/codec/json-name.js";
import { hashOfName } from "../../../src/codec/json-name-table.js";
import { JsonTextScanner } from "../../../src/codec/json-text.js";
import { type Bytes, latin1ToBytes, utf8ToBytes } from "../../../src/core/bytes.js";

/** Milliseconds of the quickest of some runs: what it takes when nothing comes between. */
function quickest(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i += 1) {
    const startMs = performance.now();
    run();
    least = Math.min(least, performance.now() - startMs);
  }
  return least;
}

const objectOf = (names: readonly string[]): Bytes =>
  latin1ToBytes(`{${names.map((name) => `"${name}":1`).join(",")}}`);

function canonicalText(bytes: Bytes): string {
  const canonical = canonicalJson(bytes, 0, bytes.length);
  assert.ok(canonical.kind === "canonical");
  return canonical.bytes.latin1Slice(canonical.start, canonical.end);
}

test("ten times the names, each twice, take ten times the time, not a hundred times", () => {
  const timeOf = (count: number): number => {
    const names = Array.from({ length: count }, (_, i) => `name${i}`);
    const twice = objectOf([...names, ...names]);
    assert.equal(canonicalText(twice), objectOf(names).latin1Slice());
    return quickest(() => canonicalText(twice));
  };
  const manyMs = timeOf(100_000);
  const someMs = timeOf(10_000);
  assert.ok(manyMs < 50 * someMs, `100,000 names ${manyMs} ms, 10,000 names ${someMs} ms`);
});

test("names that come twice at every depth are written once", () => {
  let text = "1";
  for (let i = 0; i < 128; i += 1) text = `{"a":0,"a":${text}}`;
  assert.equal(canonicalText(latin1ToBytes(text)), `${'{"a":'.repeat(128)}1${"}".repeat(128)}`);
});

/** 2^`stages` names with one hash: of two blocks that have the same effect, each stage takes either. */
function collidingNames(stages: number): string[] {
  const step = (hash: number, block: string): number => {
    let next = hash;
    for (let i = 0; i < block.length; i += 1) next = Math.imul(next ^ block.charCodeAt(i), 0x01000193);
    return next;
  };
  let names = [""];
  let hash = 0x811c9dc5 | 0;
  for (let stage = 0; stage < stages; stage += 1) {
    const blocks = new Map<number, string>();
    for (let i = 0; ; i += 1) {
      const block = `${i.toString(36)}.`.padStart(6, "-");
      const next = step(hash, block);
      const other = blocks.get(next);
      if (other !== undefined) {
        names = names.flatMap((name) => [name + block, name + other]);
        hash = next;
        break;
      }
      blocks.set(next, block);
    }
  }
  return names;
}

test("names chosen to have one hash take no longer than others", () => {
  const names = collidingNames(14);
  const hashes = new Set(names.map((name) => hashOfName(latin1ToBytes(name), 0, name.length)));
  assert.equal(hashes.size, 1, "they do have one hash");
  const { length } = names[0];
  const others = names.map((_, i) => String(i).padStart(length, "0"));
  const scanner = new JsonTextScanner();
  const scan = (bytes: Bytes): void => {
    assert.equal(scanner.value(bytes, 0, bytes.length), bytes.length);
    assert.ok(scanner.hasUniqueNames);
  };
  const chosen = objectOf(names);
  const usual = objectOf(others);
  const chosenMs = quickest(() => scan(chosen));
  const usualMs = quickest(() => scan(usual));
  assert.ok(chosenMs < 20 * usualMs, `${chosenMs} ms, others ${usualMs} ms`);
  assert.equal(canonicalText(objectOf([...names, ...names])), chosen.latin1Slice());
});

test("a name is what JSON.parse reads, however it is spelled", () => {
  const unit = fc.integer({ min: 0, max: 0xffff });
  const anyName = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(unit, { maxLength: 6 }).map((units) => String.fromCharCode(...units)),
  );
  fc.assert(
    fc.property(anyName, anyName, fc.infiniteStream(fc.boolean()), (one, other, spelling) => {
      const spelled = (name: string): Bytes => {
        const parts = Array.from(name, (character) =>
          spelling.next().value === true || JSON.stringify(character).length > character.length + 2
            ? Array.from({ length: character.length }, (_, i) => unicodeEscape(character.charCodeAt(i))).join(
                "",
              )
            : character,
        );
        return utf8ToBytes(`"${parts.join("")}"`);
      };
      const nameIn = (bytes: Bytes): string => nameOf(bytes, 0, bytes.length);
      if (isWellFormed(one)) assert.equal(nameIn(spelled(one)), utf8ToBytes(one).latin1Slice());
      assert.equal(nameIn(spelled(one)), nameIn(spelled(one)));
      assert.equal(nameIn(spelled(one)) === nameIn(spelled(other)), one === other);
    }),
    { numRuns: 2000 },
  );
  for (const text of ['"\\b\\f\\n\\r\\t\\/\\\\\\""', '"\\u00e9\\uD83D\\uDE00"', '"\\ud83d\\u0041"']) {
    const bytes = utf8ToBytes(text);
    const expected = JSON.parse(text) as string;
    const name = nameOf(bytes, 0, bytes.length);
    if (isWellFormed(expected)) assert.equal(latin1ToBytes(name).utf8Slice(), expected);
    else assert.equal(name, "\u00ed\u00a0\u00bdA");
  }
});

const unicodeEscape = (code: number): string => `\\u${code.toString(16).padStart(4, "0")}`;

const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);
