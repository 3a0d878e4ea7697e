import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  commonPartition,
  keyIndexes,
  planTransaction,
  slotOfArg,
  splitByPartition,
} from "../../../src/commands/plan.js";
import { COMMANDS } from "../../../src/commands/table.js";
import type { Args, CommandSpec, Entry } from "../../../src/commands/types.js";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import { argsOf, plain } from "../../support/commands.js";

const specOf = (args: Args): CommandSpec => COMMANDS.lookup(args.bytes, args.start(0), args.end(0))!;
const partitionOf = (slot: number): number => slot % 5;
const texts = (args: Args): string[] => Array.from({ length: args.count }, (_, i) => args.text(i));
const keys = fc.array(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 20 });

describe("a command's keys", () => {
  it("are where the table says", () => {
    for (const [words, indexes] of [
      [["GET", "a"], [1]],
      [
        ["MGET", "a", "b", "c"],
        [1, 2, 3],
      ],
      [
        ["MSET", "a", "1", "b", "2"],
        [1, 3],
      ],
      [
        ["RENAME", "a", "b"],
        [1, 2],
      ],
      [
        ["COPY", "a", "b", "REPLACE"],
        [1, 2],
      ],
      [["SET", "a", "b", "NX"], [1]],
      [["DBSIZE"], []],
    ] as const) {
      const args = argsOf(...words);
      assert.deepEqual(keyIndexes(specOf(args), args), indexes, words.join(" "));
    }
  });

  it("have one partition only when all lie there", () => {
    fc.assert(
      fc.property(keys, (names) => {
        const args = argsOf("MGET", ...names);
        const partitions = new Set(names.map((_, i) => partitionOf(slotOfArg(args, i + 1))));
        const [only] = partitions;
        assert.equal(commonPartition(specOf(args), args, partitionOf), partitions.size === 1 ? only : -1);
      }),
    );
  });
});

describe("a command split by partition", () => {
  it("asks each partition for its own keys, each of the whole command's keys once, and knows its place", () => {
    fc.assert(
      fc.property(fc.constantFrom("MGET", "DEL", "EXISTS", "UNLINK", "TOUCH"), keys, (name, names) => {
        const args = argsOf(name, ...names);
        const places: (string | undefined)[] = [];
        const partitions = new Set<number>();
        for (const share of splitByPartition(specOf(args), args, partitionOf)) {
          const [first, ...rest] = texts(share.args);
          assert.equal(first, name);
          assert.equal(commonPartition(specOf(args), share.args, partitionOf), share.partition);
          assert.ok(!partitions.has(share.partition));
          partitions.add(share.partition);
          for (const [i, position] of share.positions.entries()) {
            assert.equal(places[position], undefined);
            places[position] = rest[i];
          }
          assert.equal(rest.length, share.positions.length);
        }
        assert.deepEqual(places, names);
      }),
    );
  });

  it("gives arguments behind the keys to every partition", () => {
    const args = argsOf("JSON.MGET", "a", "b", "c", "$.path");
    const spec = { ...specOf(argsOf("MGET")), keys: { first: 1, last: -2, step: 1 } };
    for (const share of splitByPartition(spec, args, partitionOf)) {
      assert.equal(texts(share.args).at(-1), "$.path");
      assert.equal(share.args.count, share.positions.length + 2);
    }
  });
});

function entry(text: string, expiresAtMs = 0): Entry {
  const bytes = latin1ToBytes(`..${text}..`);
  return { type: "string", bytes, start: 2, end: 2 + text.length, expiresAtMs, version: 1 };
}

/** The writes as `key=value@expiry`, `-key`, and the reply. */
function decide(words: readonly string[], entries: Readonly<Record<string, Entry>>): unknown[] {
  const args = argsOf(...words);
  const plan = planTransaction(specOf(args), args, { valueBytesMax: 1_000 });
  assert.equal(new Set(plan.keys).size, plan.keys.length);
  const { writes, reply } = plan.decide((key) => {
    assert.ok(plan.keys.includes(key), `${key} is read and was not announced`);
    return entries[key];
  });
  const shown = writes.map((write) =>
    write.kind === "delete"
      ? `-${write.key}`
      : `${write.key}=${write.bytes.latin1Slice(write.start, write.end)}@${write.expiresAtMs}`,
  );
  return [...shown, plain(reply)];
}

describe("a command as a transaction", () => {
  it("sets all pairs, the last one of a key named twice", () => {
    assert.deepEqual(decide(["MSET", "a", "1", "b", "2", "a", "3"], {}), ["a=3@0", "b=2@0", "+OK"]);
  });

  it("sets all pairs or none when one exists", () => {
    assert.deepEqual(decide(["MSETNX", "a", "1", "b", "2"], {}), ["a=1@0", "b=2@0", 1]);
    assert.deepEqual(decide(["MSETNX", "a", "1", "b", "2"], { b: entry("x") }), [0]);
  });

  it("renames with the value and its expiry", () => {
    assert.deepEqual(decide(["RENAME", "a", "b"], { a: entry("x", 7), b: entry("y") }), [
      "-a",
      "b=x@7",
      "+OK",
    ]);
    assert.deepEqual(decide(["RENAME", "a", "a"], { a: entry("x") }), ["+OK"]);
    assert.deepEqual(decide(["RENAME", "a", "b"], { b: entry("y") }), ["-NOT_FOUND no such key"]);
    assert.deepEqual(decide(["RENAMENX", "a", "b"], { a: entry("x"), b: entry("y") }), [0]);
    assert.deepEqual(decide(["RENAMENX", "a", "a"], { a: entry("x") }), [0]);
    assert.deepEqual(decide(["RENAMENX", "a", "b"], { a: entry("x") }), ["-a", "b=x@0", 1]);
  });

  it("copies, over an existing key only when told", () => {
    assert.deepEqual(decide(["COPY", "a", "b"], { a: entry("x", 7) }), ["b=x@7", 1]);
    assert.deepEqual(decide(["COPY", "a", "b"], { a: entry("x"), b: entry("y") }), [0]);
    assert.deepEqual(decide(["COPY", "a", "b", "REPLACE"], { a: entry("x"), b: entry("y") }), ["b=x@0", 1]);
    assert.deepEqual(decide(["COPY", "a", "b", "REPLACE"], { b: entry("y") }), [0]);
  });
});
