import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Reply } from "../../../src/commands/reply.js";
import { ScanCursors, scanHash } from "../../../src/commands/scan-cursor.js";
import { argsOf, plain } from "../../support/commands.js";
import { HandClock } from "../../support/hand-clock.js";
import { MemoryDatabase } from "../../support/memory-database.js";
import { Seeded } from "../../support/seeded.js";

const call = (database: MemoryDatabase, ...words: string[]): Reply => database.execute(argsOf(...words));

function scanOnce(database: MemoryDatabase, cursor: string, ...options: string[]): [string, string[]] {
  return plain(call(database, "SCAN", cursor, ...options)) as [string, string[]];
}

/** All keys that a whole scan returns, with `between` called between two calls. */
function scanAll(
  database: MemoryDatabase,
  options: readonly string[] = [],
  between = (): void => {},
): string[] {
  const found: string[] = [];
  let cursor = "0";
  for (let calls = 0; calls < 10_000; calls += 1) {
    const [next, keys] = scanOnce(database, cursor, ...options);
    found.push(...keys);
    if (next === "0") return found;
    cursor = next;
    between();
  }
  throw new Error("the scan does not end");
}

function databaseWith(keys: Iterable<string>, partitions: number): MemoryDatabase {
  const database = new MemoryDatabase({ clock: new HandClock(), partitions });
  for (const key of keys) call(database, "SET", key, "x");
  return database;
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `user:${i}`);
const PARTITIONS = fc.constantFrom(1, 2, 7, 64);

describe("SCAN", () => {
  it("returns every key exactly once when nothing changes, whatever the count", () => {
    fc.assert(
      fc.property(fc.nat(300), PARTITIONS, fc.integer({ min: 1, max: 400 }), (size, partitions, count) => {
        const keys = numbered(size);
        const found = scanAll(databaseWith(keys, partitions), ["COUNT", `${count}`]);
        assert.deepEqual(found.sort(), keys.sort());
      }),
      { numRuns: 60 },
    );
  });

  it("returns every key exactly once when partitions are of very different sizes", () => {
    for (const tag of ["a", "b", "c", "d", "e", "f"]) {
      const keys = [...numbered(20), ...numbered(2_500).map((key) => `{${tag}}${key}`)];
      const database = databaseWith(keys, 16);
      for (const count of ["5", "900", "100000"]) {
        assert.deepEqual(
          scanAll(database, ["COUNT", count]).sort(),
          keys.sort(),
          `tag ${tag}, count ${count}`,
        );
      }
    }
  });

  it("returns every key that is there all along, while others come and go", () => {
    fc.assert(
      fc.property(fc.nat(), PARTITIONS, fc.integer({ min: 1, max: 20 }), (seed, partitions, count) => {
        const random = new Seeded(seed);
        const staying = numbered(100).filter((_, i) => i % 2 === 0);
        const database = databaseWith(numbered(100), partitions);
        const found = scanAll(database, ["COUNT", `${count}`], () => {
          for (let n = 0; n < 3; n += 1) {
            const key = `user:${2 * random.below(60) + 1}`;
            call(database, random.chance(0.5) ? "DEL" : "SET", key, ...(random.chance(0.5) ? [] : ["x"]));
          }
        });
        assert.deepEqual(
          staying.filter((key) => !found.includes(key)),
          [],
          `seed ${seed}`,
        );
      }),
      { numRuns: 100 },
    );
  });

  it("goes on where it was on a node that never saw its cursor, and misses nothing when that key is gone", () => {
    const keys = numbered(200);
    const partitions = 3;
    const first = databaseWith(keys, partitions);
    const second = databaseWith(keys, partitions);
    const found: string[] = [];
    let cursor = "0";
    let turns = 0;
    do {
      const [next, page] = scanOnce(turns % 2 === 0 ? first : second, cursor, "COUNT", "7");
      found.push(...page);
      // On every fifth call the key that the cursor stands for is deleted everywhere.
      const last = page.at(-1);
      if (turns % 5 === 0 && last !== undefined) for (const node of [first, second]) call(node, "DEL", last);
      cursor = next;
      turns += 1;
      assert.ok(turns < 1_000, "the scan does not end");
    } while (cursor !== "0");
    assert.deepEqual([...new Set(found)].sort(), keys.sort());
  });

  it("gives cursors that any client can keep: whole numbers below 2^53", () => {
    const database = databaseWith(numbered(500), 64);
    let cursor = "0";
    do {
      [cursor] = scanOnce(database, cursor, "COUNT", "3");
      assert.match(cursor, /^\d+$/);
      assert.ok(Number.isSafeInteger(Number(cursor)));
    } while (cursor !== "0");
    const largest = new ScanCursors().give(16_383, 16_384, "x");
    assert.ok(Number.isSafeInteger(largest));
  });

  it("looks only where the pattern can match, and returns only what does", () => {
    const database = databaseWith([...numbered(1_000), "other:1", "other:2"], 4);
    assert.deepEqual(scanAll(database, ["MATCH", "other:*", "COUNT", "10"]).sort(), ["other:1", "other:2"]);
    let calls = 0;
    scanAll(database, ["MATCH", "other:*", "COUNT", "10"], () => {
      calls += 1;
    });
    assert.ok(calls <= 1, `${calls} calls for two keys`);
    assert.deepEqual(scanAll(database, ["MATCH", "*:7"]), ["user:7"]);
    assert.equal(scanAll(database, ["TYPE", "json"]).length, 0);
    assert.equal(scanAll(database, ["TYPE", "STRING", "MATCH", "other*"]).length, 2);
  });

  it("does not return keys that have expired", () => {
    const clock = new HandClock();
    const database = new MemoryDatabase({ clock });
    call(database, "SET", "brief", "x", "PX", "10");
    call(database, "SET", "kept", "x");
    clock.advance(11);
    assert.deepEqual(scanAll(database), ["kept"]);
    assert.deepEqual(plain(call(database, "KEYS", "*")), ["kept"]);
  });

  it("spreads the hashes of similar keys", () => {
    const hashes = new Set(numbered(100_000).map(scanHash));
    assert.equal(hashes.size, 100_000);
    assert.ok([...hashes].every((hash) => hash > 0 && hash < 2 ** 38));
  });

  it("forgets old cursors rather than grow", () => {
    const cursors = new ScanCursors();
    const given = numbered(10_000).map((key) => cursors.give(0, 1, key));
    assert.equal(cursors.resolve(given[0], 1).after, undefined);
    assert.equal(cursors.resolve(given[9_999], 1).after, "user:9999");
  });
});

describe("commands over all partitions", () => {
  it("KEYS finds all that match, more than one piece of a partition holds", () => {
    const keys = numbered(5_000);
    const database = databaseWith(keys, 3);
    assert.deepEqual((plain(call(database, "KEYS", "*")) as string[]).sort(), keys.sort());
    assert.deepEqual(plain(call(database, "KEYS", "user:42")), ["user:42"]);
  });

  it("RANDOMKEY returns any key sooner or later, each about as often, and nil when there is none", () => {
    const keys = ["a", "ab", "abc", "b", "\xff", "\xff\xff", ...numbered(20)];
    const database = databaseWith(keys, 3);
    const counts = new Map<string, number>();
    for (let n = 0; n < 5_000; n += 1) {
      const key = plain(call(database, "RANDOMKEY")) as string;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    assert.deepEqual([...counts.keys()].sort(), keys.sort());
    assert.equal(plain(call(databaseWith([], 3), "RANDOMKEY")), null);
  });

  it("RANDOMKEY finds the one key that has not expired", () => {
    const clock = new HandClock();
    const database = new MemoryDatabase({ clock, partitions: 8 });
    for (const key of numbered(100)) call(database, "SET", key, "x", "PX", "10");
    call(database, "SET", "kept", "x");
    clock.advance(11);
    assert.equal(plain(call(database, "RANDOMKEY")), "kept");
    call(database, "DEL", "kept");
    assert.equal(plain(call(database, "RANDOMKEY")), null);
  });

  it("DBSIZE counts and FLUSHDB removes the keys of every partition", () => {
    const database = databaseWith(numbered(100), 7);
    assert.equal(call(database, "DBSIZE"), 100);
    assert.equal(plain(call(database, "FLUSHDB")), "+OK");
    assert.equal(call(database, "DBSIZE"), 0);
  });

  it("KV.LIST pages through the keys in byte order", () => {
    const keys = ["a", "é", "b", "user:1", "user:10", "user:2", "z"];
    const database = databaseWith(keys, 4);
    const found: string[] = [];
    let more = 1;
    while (more === 1) {
      const [page, next] = plain(call(database, "KV.LIST", "", found.at(-1) ?? "", "2")) as [
        string[],
        number,
      ];
      assert.ok(page.length <= 2);
      found.push(...page);
      more = next;
    }
    assert.deepEqual(found, ["a", "b", "user:1", "user:10", "user:2", "z", "é"]);
    assert.deepEqual(plain(call(database, "KV.LIST", "user:", "user:1", "9")), [["user:10", "user:2"], 0]);
    assert.deepEqual(plain(call(database, "KV.LIST", "nope", "", "9")), [[], 0]);
  });
});
