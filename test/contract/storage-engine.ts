/**
 * What every `StorageEngine` does, whatever it keeps its groups in. A harness opens an engine on a directory;
 * a second one on the same directory, after `close`, is the same engine after a restart.
 */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { allocBytes, type Bytes, latin1ToBytes } from "../../src/core/bytes.js";
import { MinikeyError } from "../../src/core/errors.js";
import { groupId } from "../../src/core/ids.js";
import type { GroupSnapshot, GroupStore, StorageEngine } from "../../src/ports/storage-engine.js";
import { appliedState, contentOf, storedValue, TABLE_NAMES, valueText } from "../support/engine-model.js";
import { makeTempDir } from "../support/temp-dir.js";
import { storageEngineModelContract } from "./storage-engine-model.js";

export type OpenEngine = (directory: string) => Promise<StorageEngine>;

const GROUP = groupId(7);
const OTHER_GROUP = groupId(0xffff_0001);
const PIECE_BYTES = 512;

/** Opens an engine for the length of a test. */
async function openFor(t: TestContext, open: OpenEngine, directory = makeTempDir(t)) {
  const engine = await open(directory);
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await engine.close();
  };
  t.after(close);
  return { engine, close, directory };
}

/** Opens a group whose applied index is whatever `index.value` says at a checkpoint. */
async function openGroup(engine: StorageEngine, group = GROUP, index = { value: 1 }): Promise<GroupStore> {
  const store = await engine.openGroup(group);
  store.onCheckpoint(() => appliedState(index.value));
  return store;
}

export async function readAll(snapshot: GroupSnapshot, pieceBytes: number): Promise<Bytes[]> {
  const pieces: Bytes[] = [];
  for (;;) {
    const piece = await snapshot.next(pieceBytes);
    if (piece === undefined) return pieces;
    pieces.push(piece);
  }
}

function putText(store: GroupStore, ...entries: [key: string, value: string][]): void {
  for (const [key, value] of entries) store.put("data", key, storedValue(value));
}

const keysOf = (range: Iterable<[string, unknown]>): string[] => [...range].map(([key]) => key);

export function storageEngineContract(name: string, open: OpenEngine): void {
  describe(`storage engine ${name}: entries`, () => entriesContract(open));
  describe(`storage engine ${name}: ranges`, () => rangesContract(open));
  describe(`storage engine ${name}: checkpoints`, () => checkpointsContract(open));
  describe(`storage engine ${name}: snapshots`, () => snapshotsContract(open));
  describe(`storage engine ${name}: installation`, () => installationContract(open));
  describe(`storage engine ${name}: groups`, () => groupsContract(open));
  describe(`storage engine ${name}: any sequence of calls`, () => storageEngineModelContract(open));
}

function entriesContract(open: OpenEngine): void {
  it("finds what was put, and nothing else", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    putText(store, ["b", "two"], ["a", "one"], ["b", "three"]);
    assert.equal(valueText(store.get("data", "a")), "one");
    assert.equal(valueText(store.get("data", "b")), "three");
    assert.equal(store.get("data", "c"), undefined);
    assert.equal(store.has("data", "a"), true);
    assert.equal(store.has("data", "ab"), false);
    assert.equal(store.count("data"), 2);
  });

  it("keeps tables and groups apart", async (t) => {
    const { engine } = await openFor(t, open);
    const [one, other] = [await openGroup(engine), await openGroup(engine, OTHER_GROUP)];
    one.put("data", "key", storedValue("data"));
    one.put("expiry", "key", storedValue("expiry"));
    other.put("data", "key", storedValue("other"));
    one.clear("expiry");
    await engine.checkpoint();
    assert.equal(valueText(one.get("data", "key")), "data");
    assert.equal(one.has("expiry", "key"), false);
    assert.equal(one.has("meta", "key"), false);
    assert.equal(valueText(other.get("data", "key")), "other");
    assert.deepEqual([one.count("data"), one.count("expiry"), other.count("data")], [1, 0, 1]);
  });

  for (const when of ["before", "after"] as const) {
    it(`takes any bytes as a key, empty values and large ones (${when} a checkpoint)`, async (t) => {
      const { engine } = await openFor(t, open);
      const store = await openGroup(engine);
      const allBytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
      const entries: [string, string][] = [
        ["\0", "zero"],
        ["\0\0", ""],
        ["\0\0\xff", "mixed"],
        ["\xff", "last"],
        ["\xff\xff", "very last"],
        [allBytes, "all"],
        [allBytes.repeat(4), "1,024 bytes"],
        [`${allBytes.repeat(4).slice(0, 1023)}x`, "a long common prefix"],
        ["large", "x".repeat(8 * 1024 * 1024)],
        ["a page", "y".repeat(4096)],
      ];
      putText(store, ...entries);
      if (when === "after") await engine.checkpoint();
      for (const [key, value] of entries) {
        assert.equal(valueText(store.get("data", key)), value, JSON.stringify(key.slice(0, 9)));
      }
      assert.deepEqual(keysOf(store.range("data")), entries.map(([key]) => key).sort());
    });

    it(`takes a copy of a value that is a small part of its memory (${when} a checkpoint)`, async (t) => {
      const { engine } = await openFor(t, open);
      const store = await openGroup(engine);
      const scratch = allocBytes(64 * 1024);
      const sizes = [0, 1, 64, 1000, 1100, 8192, 40_000];
      for (const size of sizes) {
        scratch.fill(size % 251, 0, size);
        store.put("data", `size ${size}`, { bytes: scratch, start: 0, end: size });
      }
      scratch.fill(255);
      if (when === "after") await engine.checkpoint();
      for (const size of sizes) {
        const expected = String.fromCharCode(size % 251).repeat(size);
        assert.equal(valueText(store.get("data", `size ${size}`)), expected, `${size} bytes`);
      }
    });

    it(`leaves a value that was read alone until the turn ends (${when} a checkpoint)`, async (t) => {
      const { engine } = await openFor(t, open);
      const store = await openGroup(engine);
      putText(store, ["a", "value of a"], ["b", "value of b"], ["c", "value of c"]);
      if (when === "after") await engine.checkpoint();
      const values = ["a", "b", "c"].map((key) => store.get("data", key));
      putText(store, ["a", "another a!"]);
      store.delete("data", "b");
      store.clear("data");
      putText(store, ["d", "value of d"], ["e", "value of e"], ["f", "value of f"]);
      assert.deepEqual(values.map(valueText), ["value of a", "value of b", "value of c"]);
    });
  }

  it("counts exactly through overwriting, deleting, clearing and checkpoints", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    putText(store, ["a", "1"], ["b", "1"], ["c", "1"]);
    await engine.checkpoint();
    putText(store, ["a", "2"], ["d", "1"]);
    store.delete("data", "b");
    store.delete("data", "no such key");
    assert.equal(store.count("data"), 3);
    const saved = engine.checkpoint();
    putText(store, ["b", "3"], ["e", "1"]);
    store.delete("data", "c");
    assert.equal(store.count("data"), 4);
    await saved;
    assert.equal(store.count("data"), 4);
    store.delete("data", "a");
    store.delete("data", "a");
    assert.equal(store.count("data"), 3);
    store.clear("data");
    assert.equal(store.count("data"), 0);
    putText(store, ["z", "1"]);
    await engine.checkpoint();
    assert.equal(store.get("data", "y"), undefined);
    putText(store, ["y", "1"]);
    await engine.checkpoint();
    putText(store, ["y", "2"]);
    assert.equal(store.count("data"), 2);
  });
}

function rangesContract(open: OpenEngine): void {
  const KEYS = ["a", "ab", "ab\0", "abc", "abd", "ac", "b", "b\xff", "c", "\xff", "\xff\xff"];

  for (const when of ["in memory", "on disk", "in both"] as const) {
    it(`goes through keys in byte order, from any start and within any prefix (${when})`, async (t) => {
      const { engine } = await openFor(t, open);
      const store = await openGroup(engine);
      const later = when === "in both" ? KEYS.filter((_, i) => i % 2 === 1) : [];
      for (const key of KEYS) if (!later.includes(key)) putText(store, [key, `old ${key}`]);
      putText(store, ["aa", "deleted later"]);
      if (when !== "in memory") await engine.checkpoint();
      for (const key of later) putText(store, [key, `new ${key}`]);
      store.delete("data", "aa");

      const expected = (keep: (key: string) => boolean): string[] => KEYS.filter(keep).sort();
      const ranges: [Parameters<GroupStore["range"]>[1], (key: string) => boolean][] = [
        [undefined, () => true],
        [{ start: "abc" }, (key) => key >= "abc"],
        [{ start: "abc", exclusive: true }, (key) => key > "abc"],
        [{ start: "aa" }, (key) => key >= "aa"],
        [{ start: "aa", exclusive: true }, (key) => key > "aa"],
        [{ prefix: "ab" }, (key) => key.startsWith("ab")],
        [{ prefix: "ab", start: "abc", exclusive: true }, (key) => key.startsWith("ab") && key > "abc"],
        [{ prefix: "ab", start: "ab", exclusive: true }, (key) => key.startsWith("ab") && key > "ab"],
        [{ prefix: "b", start: "a" }, (key) => key.startsWith("b")],
        [{ prefix: "\xff" }, (key) => key.startsWith("\xff")],
        [{ prefix: "a", start: "b" }, () => false],
        [{ prefix: "zz" }, () => false],
      ];
      for (const [options, keep] of ranges) {
        assert.deepEqual(keysOf(store.range("data", options)), expected(keep), JSON.stringify(options));
      }
    });
  }

  it("goes on over turns, and over a checkpoint that ends meanwhile", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    putText(store, ["a", "1"], ["c", "1"], ["e", "1"]);
    await engine.checkpoint();
    putText(store, ["b", "2"], ["d", "2"]);
    store.delete("data", "c");
    const range = store.range("data");
    assert.equal(range.next().value?.[0], "a");
    await engine.checkpoint();
    assert.deepEqual(keysOf(range), ["b", "d", "e"]);
    assert.equal(range.next().done, true);
  });

  it("ends for good when it is left", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    putText(store, ["a", "1"], ["b", "1"]);
    const range = store.range("data");
    for (const [key] of range) {
      assert.equal(key, "a");
      break;
    }
    assert.equal(range.next().done, true);
  });
}

function checkpointsContract(open: OpenEngine): void {
  it("brings back, after a restart, exactly what the last checkpoint found", async (t) => {
    const { engine, close, directory } = await openFor(t, open);
    const index = { value: 41 };
    const store = await openGroup(engine, GROUP, index);
    assert.equal(store.restored, undefined);
    putText(store, ["a", "1"], ["b", "1"], ["c", "1"]);
    store.put("meta", "m", storedValue("meta"));
    await engine.checkpoint();
    index.value = 42;
    putText(store, ["a", "2"]);
    store.delete("data", "b");
    store.clear("meta");
    await engine.checkpoint();
    index.value = 43;
    putText(store, ["lost", "1"]);
    store.clear("data");
    await close();

    const again = await openFor(t, open, directory);
    const restored = await openGroup(again.engine);
    assert.deepEqual(restored.restored, appliedState(42));
    assert.equal(restored.durableIndex(), 42);
    assert.deepEqual(contentOf(restored), {
      data: [
        ["a", "2"],
        ["c", "1"],
      ],
      expiry: [],
      meta: [],
    });
    assert.equal(restored.count("data"), 2);
  });

  it("remembers how far a group came even when it wrote nothing", async (t) => {
    const { engine, close, directory } = await openFor(t, open);
    const index = { value: 5 };
    const store = await openGroup(engine, GROUP, index);
    await engine.checkpoint();
    index.value = 9;
    await engine.checkpoint();
    assert.equal(store.durableIndex(), 9);
    await close();
    const again = await openFor(t, open, directory);
    assert.deepEqual((await again.engine.openGroup(GROUP)).restored, appliedState(9));
  });

  it("lets writes go on meanwhile, which the next one saves", async (t) => {
    const { engine, close, directory } = await openFor(t, open);
    const index = { value: 1 };
    const store = await openGroup(engine, GROUP, index);
    for (let i = 0; i < 5000; i += 1) putText(store, [`key ${i}`, "old"]);
    const saved = engine.checkpoint();
    await new Promise((resolve) => setImmediate(resolve));
    index.value = 2;
    for (let i = 0; i < 5000; i += 2) putText(store, [`key ${i}`, "new"]);
    store.delete("data", "key 1");
    assert.equal(valueText(store.get("data", "key 0")), "new");
    assert.equal(store.has("data", "key 1"), false);
    await saved;
    assert.equal(store.durableIndex(), 1);
    assert.equal(valueText(store.get("data", "key 0")), "new");
    assert.equal(valueText(store.get("data", "key 3")), "old");
    assert.equal(store.has("data", "key 1"), false);
    await close();

    const again = await openFor(t, open, directory);
    const restored = await openGroup(again.engine);
    assert.equal(restored.restored?.index, 1);
    assert.equal(valueText(restored.get("data", "key 0")), "old");
    assert.equal(restored.count("data"), 5000);
  });

  it("changes nothing that is read, in any turn, while writes go on", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    const model = new Map<string, string>();
    const put = (key: string, value: string): void => {
      putText(store, [key, value]);
      model.set(key, value);
    };
    const remove = (key: string): void => {
      store.delete("data", key);
      model.delete(key);
    };
    for (let i = 0; i < 3000; i += 1) put(`key ${i}`, "first");
    for (let round = 0; round < 3; round += 1) {
      for (let i = round; i < 3000; i += 3) put(`key ${i}`, `round ${round}`);
      let saving = true;
      const saved = engine.checkpoint().finally(() => {
        saving = false;
      });
      for (let i = 0; saving || i < 5; i += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        put(`key ${i}`, `turn ${i} of round ${round}`);
        put(`new in ${round}: ${i}`, "new");
        remove(`key ${i + 100}`);
        for (const key of [`key ${i}`, `key ${i + 100}`, `key ${i + 200}`, `key ${round + 2700}`]) {
          assert.equal(valueText(store.get("data", key)), model.get(key), `${key} in turn ${i}`);
        }
        const found = [...store.range("data", { prefix: "key 1" })].map(([key, value]) => [
          key,
          valueText(value),
        ]);
        const expected = [...model]
          .filter(([key]) => key.startsWith("key 1"))
          .sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(found, expected, `turn ${i}`);
      }
      await saved;
    }
  });

  it("saves with the next one what was written during one, whatever the applied index", async (t) => {
    const { engine, close, directory } = await openFor(t, open);
    const store = await openGroup(engine);
    for (let i = 0; i < 2000; i += 1) putText(store, [`key ${i}`, "old"]);
    const saved = engine.checkpoint();
    await new Promise((resolve) => setImmediate(resolve));
    putText(store, ["key 1", "new"]);
    await saved;
    await engine.checkpoint();
    await close();
    const again = await openFor(t, open, directory);
    assert.equal(valueText((await openGroup(again.engine)).get("data", "key 1")), "new");
  });

  it("shares the next checkpoint between all who ask while one runs", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await engine.openGroup(GROUP);
    let captures = 0;
    store.onCheckpoint(() => appliedState(++captures));
    const first = engine.checkpoint();
    await new Promise((resolve) => setImmediate(resolve));
    putText(store, ["a", "1"]);
    await Promise.all([first, engine.checkpoint(), engine.checkpoint(), engine.checkpoint()]);
    assert.equal(captures, 2);
    assert.equal(store.durableIndex(), 2);
  });

  it("tells how much waits to be saved", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    assert.equal(engine.uncheckpointedBytes(), 0);
    for (let i = 0; i < 100; i += 1) putText(store, [`key ${i}`, "x".repeat(1000)]);
    assert.ok(engine.uncheckpointedBytes() >= 100_000, `${engine.uncheckpointedBytes()}`);
    const held = engine.unsavedBytes();
    assert.ok(held === 0 || held >= 100_000, `${held}`);
    const saving = engine.checkpoint();
    await Promise.resolve();
    assert.equal(engine.unsavedBytes(), held, "what is being saved is in memory yet");
    await saving;
    assert.equal(engine.uncheckpointedBytes(), 0);
    assert.equal(engine.unsavedBytes(), 0);
  });
}

function snapshotsContract(open: OpenEngine): void {
  it("shows one moment while writes, checkpoints and the group's end go on", async (t) => {
    const { engine } = await openFor(t, open);
    const index = { value: 10 };
    const store = await openGroup(engine, GROUP, index);
    for (let i = 0; i < 300; i += 1) putText(store, [`key ${i}`, `value ${i}`]);
    store.put("expiry", "when", storedValue("key 1"));
    const snapshot = await store.snapshot();
    const content = contentOf(store);
    index.value = 11;
    for (let i = 0; i < 300; i += 3) putText(store, [`key ${i}`, "changed"]);
    for (let i = 1; i < 300; i += 3) store.delete("data", `key ${i}`);
    const pieces = [await snapshot.next(PIECE_BYTES)];
    await engine.checkpoint();
    store.clear("data");
    putText(store, ["new", "entry"]);
    await engine.checkpoint();
    await store.destroy();
    const rest = await readAll(snapshot, PIECE_BYTES);
    assert.deepEqual(snapshot.applied, appliedState(10));
    snapshot.release();
    snapshot.release();

    const copy = await openGroup(engine, OTHER_GROUP);
    const install = copy.beginInstall();
    for (const piece of [...pieces, ...rest]) await install.write(piece as Bytes);
    await install.commit(snapshot.applied);
    assert.deepEqual(contentOf(copy), content);
  });

  it("comes in pieces of about the size asked for", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    for (let i = 0; i < 200; i += 1) putText(store, [`key ${i}`, "x".repeat(50)]);
    putText(store, ["zz", "y".repeat(10_000)]);
    const snapshot = await store.snapshot();
    const sizes = (await readAll(snapshot, 1000)).map((piece) => piece.length);
    snapshot.release();
    assert.ok(sizes.length > 10);
    assert.ok(
      sizes.slice(0, -2).every((size) => size <= 1000 && size > 500),
      sizes.join(),
    );
    assert.ok((sizes.at(-1) ?? 0) > 10_000);
  });

  it("has no piece when the group is empty", async (t) => {
    const { engine } = await openFor(t, open);
    const snapshot = await (await openGroup(engine)).snapshot();
    assert.equal(await snapshot.next(1000), undefined);
    snapshot.release();
  });
}

/** Pieces of a group with two entries. */
async function somePieces(engine: StorageEngine): Promise<Bytes[]> {
  const source = await openGroup(engine, groupId(99));
  putText(source, ["a", "installed"], ["n", "installed"]);
  source.put("expiry", "e", storedValue("installed"));
  const snapshot = await source.snapshot();
  const pieces = await readAll(snapshot, 1);
  snapshot.release();
  await source.destroy();
  return pieces;
}

function installationContract(open: OpenEngine): void {
  const INSTALLED = {
    data: [
      ["a", "installed"],
      ["n", "installed"],
    ],
    expiry: [["e", "installed"]],
    meta: [],
  };

  it("replaces the whole group at once, durably, when it is committed", async (t) => {
    const { engine, close, directory } = await openFor(t, open);
    const pieces = await somePieces(engine);
    assert.equal(pieces.length, 3);
    const store = await openGroup(engine);
    putText(store, ["a", "old"], ["b", "old"]);
    store.put("meta", "m", storedValue("old"));
    await engine.checkpoint();
    const install = store.beginInstall();
    for (const piece of pieces) {
      await install.write(piece);
      putText(store, ["b", "written meanwhile"]);
      assert.equal(valueText(store.get("data", "a")), "old");
      assert.equal(store.count("data"), 2);
    }
    await engine.checkpoint();
    await install.commit(appliedState(77));
    assert.deepEqual(contentOf(store), INSTALLED);
    assert.deepEqual(
      TABLE_NAMES.map((table) => store.count(table)),
      [2, 1, 0],
    );
    assert.equal(store.durableIndex(), 77);
    putText(store, ["lost", "not checkpointed"]);
    await close();

    const again = await openFor(t, open, directory);
    const restored = await openGroup(again.engine);
    assert.deepEqual(restored.restored, appliedState(77));
    assert.deepEqual(contentOf(restored), INSTALLED);
  });

  it("leaves the old content when it is aborted", async (t) => {
    const { engine, close, directory } = await openFor(t, open);
    const pieces = await somePieces(engine);
    const store = await openGroup(engine);
    putText(store, ["a", "old"]);
    await engine.checkpoint();
    const install = store.beginInstall();
    for (const piece of pieces) await install.write(piece);
    await install.abort();
    assert.equal(valueText(store.get("data", "a")), "old");
    await close();
    const again = await openFor(t, open, directory);
    assert.deepEqual(contentOf(await again.engine.openGroup(GROUP)).data, [["a", "old"]]);
  });

  it("refuses malformed pieces with DATA_CORRUPT, and may be aborted then", async (t) => {
    const { engine } = await openFor(t, open);
    const [piece] = await somePieces(engine);
    const store = await openGroup(engine);
    putText(store, ["a", "old"]);
    const flipped = latin1ToBytes(piece.latin1Slice());
    flipped[flipped.length - 1] ^= 1;
    for (const malformed of [flipped, piece.subarray(0, piece.length - 1), piece.subarray(0, 3)]) {
      const install = store.beginInstall();
      await assert.rejects(
        install.write(malformed),
        (error) => error instanceof MinikeyError && error.code === "DATA_CORRUPT",
      );
      await install.abort();
    }
    assert.equal(valueText(store.get("data", "a")), "old");
  });

  it("may bring an empty group", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    putText(store, ["a", "old"]);
    await store.beginInstall().commit(appliedState(3));
    assert.deepEqual(contentOf(store), { data: [], expiry: [], meta: [] });
    assert.equal(store.durableIndex(), 3);
  });
}

function groupsContract(open: OpenEngine): void {
  it("lists the groups that are on disk", async (t) => {
    const { engine, close, directory } = await openFor(t, open);
    assert.deepEqual(await engine.listGroups(), []);
    for (const group of [GROUP, OTHER_GROUP, groupId(0)]) await openGroup(engine, group);
    await engine.checkpoint();
    await close();
    const again = await openFor(t, open, directory);
    assert.deepEqual(
      (await again.engine.listGroups()).sort((a, b) => a - b),
      [groupId(0), GROUP, OTHER_GROUP],
    );
  });

  it("opens a closed group again as its last checkpoint left it", async (t) => {
    const { engine } = await openFor(t, open);
    const store = await openGroup(engine);
    putText(store, ["a", "1"]);
    await engine.checkpoint();
    putText(store, ["a", "2"]);
    await store.close();
    const again = await openGroup(engine);
    assert.equal(valueText(again.get("data", "a")), "1");
  });

  it("forgets a destroyed group for good, and only that", async (t) => {
    const { engine, close, directory } = await openFor(t, open);
    const [store, other] = [await openGroup(engine), await openGroup(engine, OTHER_GROUP)];
    putText(store, ["a", "1"]);
    putText(other, ["a", "other"]);
    await engine.checkpoint();
    await store.destroy();
    assert.deepEqual(await engine.listGroups(), [OTHER_GROUP]);
    const fresh = await openGroup(engine);
    assert.equal(fresh.restored, undefined);
    assert.equal(fresh.count("data"), 0);
    assert.equal(fresh.has("data", "a"), false);
    await fresh.destroy();
    await close();
    const again = await openFor(t, open, directory);
    assert.deepEqual(await again.engine.listGroups(), [OTHER_GROUP]);
    assert.equal(valueText((await openGroup(again.engine, OTHER_GROUP)).get("data", "a")), "other");
  });
}
