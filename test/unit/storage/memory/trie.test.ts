import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Key } from "../../../../src/core/bytes.js";
import { Arena } from "../../../../src/storage/memory/arena.js";
import { Leaves } from "../../../../src/storage/memory/leaf.js";
import { Recycler } from "../../../../src/storage/memory/recycler.js";
import { Trie, type TrieVersion } from "../../../../src/storage/memory/trie.js";
import { TrieCursor } from "../../../../src/storage/memory/trie-cursor.js";
import { storedValue, valueText } from "../../../support/engine-model.js";
import { HandClock } from "../../../support/hand-clock.js";
import { checkTrie } from "../../../support/trie-shape.js";

/** A trie and what it lives in. Turns end when the test says so. */
class Bench {
  readonly arena = new Arena();
  readonly leaves = new Leaves(this.arena);
  readonly clock = new HandClock();
  readonly recycler = new Recycler(this.arena, this.leaves, this.clock);
  readonly trie = new Trie(this.arena, this.leaves, this.recycler);

  get(key: Key): string | undefined {
    const leaf = this.trie.find(key);
    return leaf === 0 ? undefined : valueText(this.leaves.value(leaf));
  }

  put(key: Key, text: string): void {
    this.trie.put(key, storedValue(text));
  }

  entries(root = this.trie.root, start = "", exclusive = false): [Key, string | undefined][] {
    const cursor = new TrieCursor(this.arena, this.leaves);
    const found: [Key, string | undefined][] = [];
    for (cursor.seek(root, start, exclusive); cursor.leaf !== 0; cursor.advance()) {
      found.push([this.leaves.key(cursor.leaf), valueText(this.leaves.value(cursor.leaf))]);
    }
    return found;
  }

  check(): void {
    checkTrie(this.arena, this.leaves, this.trie);
  }

  endTurn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

const sorted = (model: ReadonlyMap<Key, string>): [Key, string][] =>
  [...model].sort(([a], [b]) => (a < b ? -1 : 1));

/** Few different bytes, so that keys share beginnings, contain and continue each other. */
const keys = fc.oneof(
  fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 6 }).map((parts) => parts.join("")),
  fc
    .array(fc.constantFrom("a", "longer than eight ", "longer than eight bytes ", "\0", "\xff"), {
      minLength: 1,
      maxLength: 4,
    })
    .map((parts) => parts.join("")),
  fc.tuple(fc.constantFrom("", "n", "nod", "a prefix of some length "), fc.nat(255)).map(([prefix, byte]) => {
    return prefix + String.fromCharCode(byte);
  }),
);

type Call =
  | { do: "put"; key: Key; value: string }
  | { do: "delete"; key: Key }
  | { do: "seek"; key: Key; exclusive: boolean }
  | { do: "clear" | "hold" | "release" | "end turn" };

const calls: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({ do: fc.constant("put"), key: keys, value: fc.string({ maxLength: 12 }) }),
  },
  { weight: 30, arbitrary: fc.record({ do: fc.constant("delete"), key: keys }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("seek"), key: keys, exclusive: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("hold", "release", "end turn") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear") }) },
) as fc.Arbitrary<Call>;

describe("adaptive radix trie", () => {
  it("behaves like a map with sorted keys, and its snapshots like copies of it", async () => {
    const property = fc.asyncProperty(fc.array(calls, { maxLength: 600, size: "max" }), async (sequence) => {
      const bench = new Bench();
      const model = new Map<Key, string>();
      let held: { version: TrieVersion; copy: [Key, string][] }[] = [];
      for (const call of sequence) {
        switch (call.do) {
          case "put":
            bench.put(call.key, call.value);
            model.set(call.key, call.value);
            break;
          case "delete":
            assert.equal(bench.trie.delete(call.key), model.delete(call.key));
            break;
          case "seek":
            assert.equal(bench.get(call.key), model.get(call.key));
            assert.deepEqual(
              bench.entries(bench.trie.root, call.key, call.exclusive),
              sorted(model).filter(([key]) => key > call.key || (key === call.key && !call.exclusive)),
            );
            break;
          case "clear":
            bench.trie.clear();
            model.clear();
            break;
          case "hold":
            held.push({ version: bench.trie.hold(), copy: sorted(model) });
            break;
          case "release":
            held.splice(held.length >> 1, 1).forEach(({ version }) => bench.trie.release(version));
            break;
          case "end turn":
            await bench.endTurn();
            break;
        }
        assert.equal(bench.trie.count, model.size);
      }
      bench.check();
      assert.deepEqual(bench.entries(), sorted(model));
      for (const { version, copy } of held) assert.deepEqual(bench.entries(version.root), copy);
      held.forEach(({ version }) => bench.trie.release(version));
      held = [];
      assert.deepEqual(bench.entries(), sorted(model));
      bench.trie.clear();
      await bench.endTurn();
      assert.equal(bench.arena.usedBytes, 0, "everything is given back");
    });
    await fc.assert(property, { numRuns: 150 });
  });
});
