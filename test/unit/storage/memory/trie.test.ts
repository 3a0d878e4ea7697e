import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Key } from "../../../../src/core/bytes.js";
import { Arena } from "../../../../src/storage/memory/arena.js";
import { Leaves } from "../../../../src/storage/memory/leaf.js";
import { Recycler } from "../../../../src/storage/memory/recycler.js";
import { Trie, type TrieVersion } from "../../../../src/storage/memory/trie.js";
import { TrieCursor } from "../../../../src/storage/memory/trie-cursor.js";
import { layOut, storedValue, valueText } from "../../../support/engine-model.js";
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
    const value = storedValue(text);
    layOut(this.trie.reserve(key, value.end - value.start), value);
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

  /** Lets two turns end: what is given up in one is given back at the end of the next. */
  async endTurns(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
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
  | { do: "clear" | "hold" | "release" | "end turns" };

const calls: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({ do: fc.constant("put"), key: keys, value: fc.string({ maxLength: 12 }) }),
  },
  { weight: 30, arbitrary: fc.record({ do: fc.constant("delete"), key: keys }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("seek"), key: keys, exclusive: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("hold", "release", "end turns") }) },
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
          case "end turns":
            await bench.endTurns();
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
      await bench.endTurns();
      assert.equal(bench.arena.usedBytes, 0, "everything is given back");
    });
    await fc.assert(property, { numRuns: 150 });
  });

  it("grows a node through all four sizes and shrinks it again, whatever the order", async () => {
    for (const seed of [1, 2, 3]) {
      const bench = new Bench();
      const order = Array.from({ length: 256 }, (_, i) => (i * (2 * seed + 35)) % 256);
      const keyOf = (byte: number): Key => `in ${String.fromCharCode(byte)}`;
      const sizes: number[] = [];
      for (const [i, byte] of order.entries()) {
        bench.put(keyOf(byte), `${byte}`);
        const { nodes } = checkTrie(bench.arena, bench.leaves, bench.trie);
        if (i > 0) sizes.push(nodes.indexOf(1));
      }
      assert.deepEqual(
        [sizes[2], sizes[3], sizes[14], sizes[15], sizes[46], sizes[47], sizes[254]],
        [0, 1, 1, 2, 2, 3, 3],
        "sizes after 4, 5, 16, 17, 48, 49 and 256 keys",
      );
      for (const [i, byte] of order.toReversed().entries()) {
        assert.equal(bench.trie.delete(keyOf(byte)), true);
        bench.check();
        const rest = order.slice(0, 255 - i).sort((a, b) => a - b);
        assert.deepEqual(
          bench.entries().map(([key]) => key),
          rest.map(keyOf),
        );
      }
      await bench.endTurns();
      assert.equal(bench.arena.usedBytes, 0);
    }
  });

  it("visits only the nodes on the way to what is asked for", () => {
    const bench = new Bench();
    for (let i = 0; i < 10_000; i += 1) bench.put(`key:${String(i).padStart(8, "0")}`, "value");
    const cursor = new TrieCursor(bench.arena, bench.leaves);
    cursor.seek(bench.trie.root, "key:00005000", false);
    for (let i = 0; i < 9; i += 1) cursor.advance();
    assert.equal(bench.leaves.key(cursor.leaf), "key:00005009");
    assert.ok(cursor.visits <= 20, `${cursor.visits} visits for 10 keys`);
  });

  it("leaves a replaced value as it was for all that is done when the turn ends", async () => {
    const bench = new Bench();
    bench.put("key", "a value of its own");
    const value = bench.leaves.value(bench.trie.find("key"));
    bench.put("key", "something else");
    const seen = await new Promise((resolve) => {
      bench.clock.atTurnEnd(() => {
        for (let i = 0; i < 10; i += 1) bench.put(`ke${i}`, "as long as the one");
        resolve(valueText(value));
      });
    });
    assert.equal(seen, "a value of its own");
  });

  it("gives memory back when what it held is gone", async () => {
    const bench = new Bench();
    for (let round = 0; round < 3; round += 1) {
      const value = "x".repeat(100 * (round + 1));
      for (let i = 0; i < 20_000; i += 1) bench.put(`key ${i}`, value);
      bench.put("large", "y".repeat(1_000_000));
      assert.ok(bench.leaves.outsideBytes > 0);
      for (let i = 0; i < 20_000; i += 1) assert.ok(bench.trie.delete(`key ${i}`));
      bench.trie.clear();
      while (bench.arena.usedBytes > 0) await bench.endTurns();
      assert.equal(bench.leaves.outsideBytes, 0);
    }
    // One page a slot size in use may stay.
    assert.ok(bench.arena.reservedBytes < 20 * 256 * 1024, `${bench.arena.reservedBytes} bytes stay`);
  });
});
