import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Key, utf8ToBytes } from "../../../src/core/bytes.js";
import { lookUp, lookUpWay } from "../../../src/document/lookup.js";
import { type Meanings, meaningsOf } from "../../../src/document/meanings.js";
import { PathList } from "../../../src/document/path-list.js";
import { anyDocument, escapedJson } from "./documents.js";

/** Adds the path as commands do; the mistake when it is none. */
function add(list: PathList, text: string): string | undefined {
  const bytes = utf8ToBytes(`.${text}.`);
  if (list.addPlain(bytes, 1, bytes.length - 1)) return undefined;
  try {
    list.add(meaningsOf(text));
    return undefined;
  } catch (error) {
    return String(error);
  }
}

function meaningsOrMistake(text: string): Meanings | string {
  try {
    return meaningsOf(text);
  } catch (error) {
    return String(error);
  }
}

/** The keys of one path, the longest first, by their bytes and by the text of the longest. */
function keysOf(list: PathList, path: number): Key[] {
  const start = list.startOf(path);
  const longest = list.longestKeyOf(path);
  const keys: Key[] = [];
  for (let key = list.firstKeyOf(path + 1) - 1; key >= list.firstKeyOf(path); key -= 1) {
    keys.push(list.bytes.latin1Slice(start, list.endOfKey(key)));
    assert.equal(longest.slice(0, list.lengthOfKey(path, key)), keys.at(-1));
  }
  return keys;
}

const piece = fc.constantFrom(
  ".",
  "..",
  "a",
  "b.c",
  "0",
  '"',
  '"x.y"',
  "é",
  "\\",
  "\t",
  "k".repeat(600),
  ".s".repeat(70),
);
const anyPath = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));

test("paths in a list mean what they mean alone, whatever stands before them, or are the same mistakes", () => {
  fc.assert(
    fc.property(fc.array(anyPath, { maxLength: 6 }), fc.nat(5), (texts, kept) => {
      const list = new PathList();
      const meant: Meanings[] = [];
      for (const text of texts) {
        const expected = meaningsOrMistake(text);
        assert.equal(add(list, text), typeof expected === "string" ? expected : undefined);
        if (typeof expected !== "string") meant.push(expected);
      }
      const check = () => {
        assert.equal(list.count, meant.length);
        let keyCount = 0;
        for (const [path, meanings] of meant.entries()) {
          const keys = Array.from({ length: meanings.count }, (_, i) => meanings.keyAt(i));
          assert.deepEqual(keysOf(list, path), keys);
          assert.equal(list.meaningsAt(path).text, meanings.text);
          keyCount += keys.length;
        }
        assert.equal(list.keyCount, keyCount);
      };
      check();
      const count = Math.min(kept, list.count);
      list.truncate(count);
      meant.length = count;
      check();
      for (const text of ["a.b", "é"]) {
        add(list, text);
        meant.push(meaningsOf(text));
      }
      check();
    }),
    { numRuns: 500 },
  );
});

test("the ways behind keys lead where the same ways written as segments do", () => {
  const documentAndPath = anyDocument.chain((document) => {
    const names = new Set<string>(["0", "1", "a", ""]);
    const walk = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      for (const [name, inner] of Object.entries(value)) {
        names.add(name);
        walk(inner);
      }
    };
    walk(document);
    const segment = fc.constantFrom(...names);
    const written = segment.map((name) => (/^[\w ]+$/.test(name) ? name : JSON.stringify(name)));
    return fc.tuple(
      fc.constant(document),
      fc.array(written, { maxLength: 4 }).map((way) => ["k", ...way].join(".")),
      fc.boolean(),
    );
  });
  const reached = { value: 0, missing: 0 };
  fc.assert(
    fc.property(documentAndPath, ([document, text, isEscaped]) => {
      const meanings = meaningsOrMistake(text);
      if (typeof meanings === "string") return;
      const json = utf8ToBytes(isEscaped ? escapedJson(document) : JSON.stringify(document));
      const list = new PathList();
      add(list, "before.it");
      add(list, text);
      for (let i = 0; i < meanings.count; i += 1) {
        const way = list.wayBehind(1, list.firstKeyOf(2) - 1 - i);
        const found = lookUpWay(json, 0, json.length, way);
        assert.deepEqual(found, lookUp(json, 0, json.length, meanings.wayAt(i)));
        reached[found.kind] += 1;
      }
    }),
    { numRuns: 1_000 },
  );
  assert(reached.value > 300 && reached.missing > 300, JSON.stringify(reached));
});
