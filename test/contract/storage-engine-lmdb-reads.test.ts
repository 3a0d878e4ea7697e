/** What is read by key, while it lies in an overlay, in what a checkpoint saved, in the read cache or in the tree. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { groupId } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import type { GroupStore, StorageEngine } from "../../src/ports/storage-engine.js";
import { appliedState, storedValue, valueText } from "../support/engine-model.js";
import { LogRecorder } from "../support/log-recorder.js";
import { makeTempDir } from "../support/temp-dir.js";
import { readAll } from "./storage-engine.js";

async function openEngine(t: TestContext): Promise<StorageEngine> {
  const path = makeTempDir(t);
  const engine = await openLmdbEngine({ path, clock: systemClock(), logger: new LogRecorder() });
  t.after(() => engine.close());
  return engine;
}

async function openGroup(engine: StorageEngine, group: number): Promise<GroupStore> {
  const store = await engine.openGroup(groupId(group));
  let index = 0;
  store.onCheckpoint(() => appliedState((index += 1)));
  return store;
}

const KEYS = ["a", "b", "c", "d"];

type Call = { do: "put" | "delete" | "get" | "has"; key: string } | { do: "checkpoint" | "clear" };

const anyKey = fc.constantFrom(...KEYS);
const calls = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom("put", "delete", "get", "has"), key: anyKey }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("checkpoint") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear") }) },
) as fc.Arbitrary<Call>;

async function carryOut(
  call: Call,
  i: number,
  at: { engine: StorageEngine; store: GroupStore },
  model: Map<string, string>,
) {
  const { engine, store } = at;
  switch (call.do) {
    case "put":
      store.put("data", call.key, storedValue(`${i}`));
      model.set(call.key, `${i}`);
      break;
    case "delete":
      store.delete("data", call.key);
      model.delete(call.key);
      break;
    case "get":
      assert.equal(valueText(store.get("data", call.key)), model.get(call.key), `call ${i}: ${call.key}`);
      break;
    case "has":
      assert.equal(store.has("data", call.key), model.has(call.key), `call ${i}: ${call.key}`);
      break;
    case "checkpoint":
      await engine.checkpoint();
      break;
    case "clear":
      store.clear("data");
      model.clear();
      break;
  }
}

describe("storage engine on LMDB: reads", () => {
  it("finds the newest value through any number of checkpoints, whatever was read before", async (t) => {
    const engine = await openEngine(t);
    let group = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(calls, { minLength: 10, maxLength: 60, size: "max" }), async (sequence) => {
        const store = await openGroup(engine, (group += 1));
        const model = new Map<string, string>();
        for (const [i, call] of sequence.entries()) await carryOut(call, i, { engine, store }, model);
        for (const key of KEYS) assert.equal(valueText(store.get("data", key)), model.get(key), key);
        await store.destroy();
      }),
      { numRuns: 60 },
    );
  });

  it("finds what was installed, whatever was read before", async (t) => {
    const engine = await openEngine(t);
    const source = await openGroup(engine, 1);
    source.put("data", "a", storedValue("installed"));
    const store = await openGroup(engine, 2);
    store.put("data", "a", storedValue("saved by a checkpoint"));
    store.put("data", "b", storedValue("saved by a checkpoint"));
    await engine.checkpoint();
    assert.equal(valueText(store.get("data", "b")), "saved by a checkpoint");
    const snapshot = await source.snapshot();
    const install = store.beginInstall();
    for (const piece of await readAll(snapshot, 512)) await install.write(piece);
    await install.commit(appliedState(7));
    snapshot.release();
    assert.equal(valueText(store.get("data", "a")), "installed");
    assert.equal(store.get("data", "b"), undefined);
  });
});
