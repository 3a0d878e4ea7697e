import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { systemClock } from "../../../../src/platform/clock.js";
import { BlockPool } from "../../../../src/storage/overlay/block-pool.js";
import { Records } from "../../../../src/storage/overlay/records.js";
import { layOut, storedValue } from "../../../support/engine-model.js";

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await turn();
}

test("a block is used again, for the same size, some turns after it was given back", async () => {
  const pool = new BlockPool(systemClock());
  const [small, large] = [pool.take(4096), pool.take(8192)];
  pool.give([small, large]);
  const other = pool.take(4096);
  assert.notEqual(other, small);
  await turns(5);
  assert.equal(pool.take(8192), large);
  assert.equal(pool.take(4096), small);
  assert.notEqual(pool.take(4096), small, "nobody else has it");
});

test("records released in one turn are not written over before all has run that its end was asked for", async () => {
  const clock = systemClock();
  const pool = new BlockPool(clock);
  const records = new Records(pool);
  const add = (text: string): number => {
    const value = storedValue(text);
    const position = records.add("key", value.end - value.start, 0);
    layOut(records.reserve(position, value.end - value.start), value);
    return position;
  };
  const { bytes, start, end } = records.value(add("before"));
  records.release();
  for (let i = 0; i < 3; i += 1) add("after!");
  assert.equal(bytes.latin1Slice(start, end), "before");
  let atTurnEnd = "";
  clock.atTurnEnd(() => {
    const others = new Records(pool);
    layOut(others.reserve(others.add("key", 6, 0), 6), storedValue("after!"));
    atTurnEnd = bytes.latin1Slice(start, end);
  });
  await turns(5);
  assert.equal(atTurnEnd, "before");
  records.release();
  await turns(5);
  const { bytes: again } = records.value(add("again!"));
  assert.equal(again.buffer.byteLength, bytes.buffer.byteLength);
});

test("no more than so much is kept for use again", async () => {
  const pool = new BlockPool(systemClock(), 3 * 4096);
  const take = () => Array.from({ length: 5 }, () => pool.take(4096));
  const given = take();
  pool.give(given);
  await turns(5);
  const again = take().filter((block) => given.includes(block));
  assert.equal(again.length, 3);
  pool.give(again);
  await turns(5);
  assert.equal(take().filter((block) => again.includes(block)).length, 3, "what was taken has room again");
});
