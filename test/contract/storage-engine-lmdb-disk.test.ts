import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { open } from "lmdb";
import { MinikeyError } from "../../src/core/errors.js";
import { groupId } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { COMPLETE_KEYS, type LmdbStore, openStore } from "../../src/platform/lmdb/binding.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import type { LmdbGroupStore } from "../../src/platform/lmdb/group-store.js";
import { encodeFormat, FORMAT_KEY, FORMAT_VERSION } from "../../src/platform/lmdb/layout.js";
import type { GroupStore, StorageEngine } from "../../src/ports/storage-engine.js";
import { type FullDiskReport, MANY } from "../support/engine-full-disk-child.js";
import { appliedState, storedValue, valueText } from "../support/engine-model.js";
import { LogRecorder } from "../support/log-recorder.js";
import { makeTempDir } from "../support/temp-dir.js";
import { waitFor } from "../support/wait.js";
import { readAll } from "./storage-engine.js";

const GROUP = groupId(1);

async function openEngine(t: TestContext, path: string): Promise<StorageEngine> {
  const engine = await openLmdbEngine({ path, clock: systemClock(), logger: new LogRecorder() });
  t.after(() => engine.close());
  return engine;
}

async function openGroup(engine: StorageEngine, group = GROUP): Promise<GroupStore> {
  const store = await engine.openGroup(group);
  let index = 0;
  store.onCheckpoint(() => appliedState((index += 1)));
  return store;
}

/** The environment itself, beside the engine. */
function openRaw(t: TestContext, path: string): LmdbStore {
  const store = openStore(
    { open: (options) => open(options as never) as unknown as LmdbStore },
    path,
    COMPLETE_KEYS,
  );
  t.after(() => store.close());
  return store;
}

function putMany(store: GroupStore, count: number, value: string): void {
  for (let i = 0; i < count; i += 1) store.put("data", `key ${i}`, storedValue(value));
}

describe("storage engine on LMDB: what is on the disk", () => {
  it("refuses data of a later version, and names where it is", async (t) => {
    const path = makeTempDir(t);
    await (await openEngine(t, path)).close();
    const raw = openRaw(t, path);
    raw.transactionSync(() => {
      raw.put(FORMAT_KEY, encodeFormat(FORMAT_VERSION + 1));
    });
    await raw.close();
    await assert.rejects(
      openEngine(t, path),
      (error) => error instanceof MinikeyError && error.code === "DATA_NEWER" && error.message.includes(path),
    );
  });

  it("refuses a file that is no environment", async (t) => {
    const path = makeTempDir(t);
    writeFileSync(join(path, "data.mdb"), Buffer.alloc(16_384, "no LMDB file "));
    await assert.rejects(
      openEngine(t, path),
      (error) =>
        error instanceof MinikeyError && error.code === "DATA_CORRUPT" && error.message.includes(path),
    );
  });

  it("rejects the checkpoint when the disk is full, and keeps every write readable", async (t) => {
    if (process.platform === "win32") return t.skip("Windows has no limit on the size of a process's files");
    const path = makeTempDir(t);
    const script = fileURLToPath(new URL("../support/engine-full-disk-child.js", import.meta.url));
    const limited = `trap '' XFSZ; ulimit -f 8192; exec "$0" "$@"`;
    const { stdout } = await promisify(execFile)("sh", ["-c", limited, process.execPath, script, path]);
    const report = JSON.parse(stdout) as FullDiskReport;
    assert.deepEqual(
      report.errors.map(({ code }) => code),
      ["DISK_FAILED", "DISK_FAILED"],
    );
    assert.ok(
      report.errors.every(({ message }) => message.includes(path)),
      report.errors[0].message,
    );
    const { durableIndex, count, first, last } = report;
    assert.deepEqual([durableIndex, count, first, last], [1, MANY + 1, "not saved", "x".repeat(200)]);

    const store = await openGroup(await openEngine(t, path));
    assert.deepEqual([store.restored?.index, store.count("data")], [1, 1]);
    assert.equal(valueText(store.get("data", "first")), "saved");
  });

  it("holds nothing of cleared tables, given-up installations and destroyed groups after a while", async (t) => {
    const path = makeTempDir(t);
    const engine = await openEngine(t, path);
    const [store, doomed] = [await openGroup(engine), await openGroup(engine, groupId(6))];
    for (const each of [store, doomed]) putMany(each, 6000, "value");
    const snapshot = await store.snapshot();
    const pieces = await readAll(snapshot, 100_000);
    snapshot.release();
    const install = store.beginInstall();
    for (const piece of pieces) await install.write(piece);
    await install.abort();
    const kept = store.beginInstall();
    for (const piece of pieces) await kept.write(piece);
    await kept.commit(appliedState(100));
    await doomed.destroy();
    store.clear("data");
    store.put("data", "last", storedValue("one"));
    await engine.checkpoint();
    const raw = openRaw(t, path);
    // The version, one group record and one entry.
    await waitFor("dead data is removed", () => {
      raw.resetReadTxn();
      return raw.getStats().entryCount === 3;
    });
    assert.equal(valueText(store.get("data", "last")), "one");
  });

  it("removes after a restart what a crash left of an installation", async (t) => {
    const path = makeTempDir(t);
    const engine = await openEngine(t, path);
    const store = await openGroup(engine);
    putMany(store, 6000, "value");
    const snapshot = await store.snapshot();
    const install = store.beginInstall();
    for (const piece of await readAll(snapshot, 100_000)) await install.write(piece);
    snapshot.release();
    await engine.close();
    const raw = openRaw(t, path);
    assert.ok(raw.getStats().entryCount > 12_000);
    const again = await openGroup(await openEngine(t, path));
    await waitFor("the installation's rest is removed", () => {
      raw.resetReadTxn();
      return raw.getStats().entryCount === 6002;
    });
    assert.equal(again.count("data"), 6000);
  });

  it("reuses its space even when somebody never finishes a range", async (t) => {
    const path = makeTempDir(t);
    const engine = await openEngine(t, path);
    const store = await openGroup(engine);
    putMany(store, 5000, "value");
    await engine.checkpoint();
    const abandoned: unknown[] = [];
    let sizeAfterWarmUp = 0;
    for (let round = 0; round < 12; round += 1) {
      const range = store.range("data");
      abandoned.push(range.next(), range);
      putMany(store, 5000, `value ${round}`);
      await engine.checkpoint();
      if (round === 4) sizeAfterWarmUp = statSync(join(path, "data.mdb")).size;
    }
    assert.ok(statSync(join(path, "data.mdb")).size <= sizeAfterWarmUp * 1.1);
  });
});

describe("storage engine on LMDB: how it works", () => {
  it("counts exactly in every turn of a checkpoint, whatever the writer knew of its keys", async (t) => {
    const engine = await openEngine(t, makeTempDir(t));
    const store = await openGroup(engine);
    putMany(store, 3000, "old");
    await engine.checkpoint();
    for (let i = 0; i < 100; i += 1) store.delete("data", `key ${i}`);
    let counts = 0;
    let expected = 4400;
    // A checkpoint may be over after a turn or two, on a machine that has much to do.
    for (let round = 0; counts < 10; round += 1) {
      assert.ok(round < 100, "checkpoints take some turns");
      // Half of them are new at first; nobody looked before writing.
      for (let i = 1500; i < 4500; i += 1) store.put("data", `key ${i}`, storedValue(`new ${round}`));
      let saving = true;
      const saved = engine.checkpoint().finally(() => {
        saving = false;
      });
      while (saving) {
        // Keys in doubt in both overlays, in every turn anew.
        store.put("data", `key ${counts % 3000}`, storedValue("again"));
        if (counts < 100) expected += 1;
        assert.equal(store.count("data"), expected, `turn ${counts}`);
        counts += 1;
        await turn();
      }
      await saved;
    }
    assert.equal(store.count("data"), expected);
    assert.equal([...store.range("data")].length, expected);
  });

  it("counts exactly when the writer's commit is on disk and the engine has not heard of it yet", async (t) => {
    const engine = await openEngine(t, makeTempDir(t));
    const stores: GroupStore[] = [];
    for (let i = 0; i < 60; i += 1) stores.push(await openGroup(engine, groupId(i)));
    for (const store of stores) putMany(store, 60, "old");
    await engine.checkpoint();
    // Nobody looks at a key before it is written, so counting asks LMDB, once a group. All share a transaction.
    for (const store of stores) putMany(store, 130, "x".repeat(300));
    let saving = true;
    const saved = engine.checkpoint().finally(() => {
      saving = false;
    });
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    for (const store of stores) {
      await turn();
      // Most of the time this thread hears nothing: that is when the commit happens.
      if (saving) Atomics.wait(sleeper, 0, 0, 4);
      assert.equal(store.count("data"), 130);
    }
    await saved;
  });

  it("reads no more of a table than a range yields", async (t) => {
    const engine = await openEngine(t, makeTempDir(t));
    const store = (await openGroup(engine)) as LmdbGroupStore;
    putMany(store, 2000, "on disk");
    await engine.checkpoint();
    for (let i = 0; i < 2000; i += 2) store.put("data", `key ${i}`, storedValue("in memory"));
    const [table] = store.tables;
    const before = table.visits;
    const range = store.range("data", { start: "key 15" });
    for (let i = 0; i < 10; i += 1) range.next();
    range.return?.();
    assert.ok(table.visits - before <= 20, `${table.visits - before} keys for 10`);
    assert.equal([...store.range("data", { prefix: "key 199" })].length, 11);
    assert.ok(table.visits - before <= 42, `${table.visits - before} keys for 21`);
  });

  it("opens groups without reading their tables", async (t) => {
    const path = makeTempDir(t);
    const engine = await openEngine(t, path);
    putMany(await openGroup(engine), 20_000, "value");
    await engine.checkpoint();
    await engine.close();
    const again = await openEngine(t, path);
    const store = (await openGroup(again)) as LmdbGroupStore;
    assert.equal(store.count("data"), 20_000);
    assert.equal(store.tables[0].visits, 0);
  });
});
