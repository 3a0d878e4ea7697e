import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../../src/core/bytes.js";
import { systemClock } from "../../../src/platform/clock.js";
import { ReadCache } from "../../../src/platform/lmdb/read-cache.js";
import { BlockPool } from "../../../src/storage/overlay/block-pool.js";
import { KeyHash } from "../../../src/storage/overlay/key-hash.js";
import { BELOW_ABSENT, Overlay, TOMBSTONE } from "../../../src/storage/overlay/overlay.js";
import { ValueCopies } from "../../../src/storage/overlay/value-copies.js";
import { storedValue } from "../../support/engine-model.js";

/** Knows how much of it is in use. */
class CountingPool extends BlockPool {
  usedBytes = 0;

  override take(sizeBytes: number): Bytes {
    this.usedBytes += sizeBytes;
    return super.take(sizeBytes);
  }

  override give(blocks: readonly Bytes[]): void {
    for (const block of blocks) this.usedBytes -= block.length;
    super.give(blocks);
  }
}

test("what is read takes a few megabytes at most, however long keys and values are, and the latest is known", () => {
  const pool = new CountingPool(systemClock());
  const cache = new ReadCache({ hash: new KeyHash(1, 2), copies: new ValueCopies(), pool });
  const value = storedValue("v".repeat(500));
  for (let i = 0; i < 20_000; i += 1) {
    const key = `${i}:`.padEnd(1_000, "k");
    assert.equal(cache.get(key), undefined);
    cache.add(key, value);
    assert(pool.usedBytes <= 5 * 1024 * 1024, `${pool.usedBytes} bytes after ${i}`);
    assert.equal(cache.has(key), true);
  }
});

test("a key that is known to be absent is so until the tree changes, and takes part in the bound", () => {
  const pool = new CountingPool(systemClock());
  const parts = { hash: new KeyHash(1, 2), copies: new ValueCopies(), pool };
  const cache = new ReadCache(parts);
  cache.addAbsent("gone");
  assert.equal(cache.get("gone"), TOMBSTONE);
  assert.equal(cache.has("gone"), false);
  for (let i = 0; i < 20_000; i += 1) {
    assert.equal(cache.get("gone"), TOMBSTONE, "what is asked for again and again is kept");
    cache.addAbsent(`${i}:`.padEnd(1_000, "k"));
    assert(pool.usedBytes <= 5 * 1024 * 1024, `${pool.usedBytes} bytes after ${i}`);
  }
  const saved = new Overlay(parts);
  const room = saved.add("gone", 1, BELOW_ABSENT);
  room.bytes[room.start] = 0x76;
  cache.onTreeChanged(saved);
  assert.equal(cache.has("gone"), true);
  assert.equal(cache.get("0:".padEnd(1_000, "k")), undefined);
});
