/**
 * Random sequences of calls on a `StorageEngine`, compared with a model of maps: two groups at once, with
 * checkpoints under way, restarts, snapshots under writes, installations finished and given up.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import * as fc from "fast-check";
import { type Key, latin1ToBytes } from "../../src/core/bytes.js";
import { groupId } from "../../src/core/ids.js";
import {
  type GroupSnapshot,
  type GroupStore,
  PREFETCH_KEYS_MAX,
  type RangeOptions,
  type StorageEngine,
  type TableName,
} from "../../src/ports/storage-engine.js";
import {
  appliedState,
  contentOf,
  ModelGroup,
  modelContent,
  spansOf,
  storedValue,
  TABLE_NAMES,
  valueText,
} from "../support/engine-model.js";

type Call =
  | { do: "put"; group: number; table: TableName; key: Key; value: string }
  | { do: "delete"; group: number; table: TableName; key: Key }
  | { do: "prefetch"; group: number; table: TableName; keys: Key[] }
  | { do: "read"; group: number; table: TableName; key: Key }
  | { do: "clear"; group: number; table: TableName }
  | { do: "count"; group: number; table: TableName }
  | { do: "range"; group: number; table: TableName; options: RangeOptions }
  | { do: "checkpoint" | "begin checkpoint" | "turn" | "restart" }
  | { do: "snapshot" | "destroy"; group: number }
  | { do: "install" | "install and abort"; group: number; pieceBytes: number };

const GROUPS = [groupId(3), groupId(65_536 * 9 + 4)];
const RUNS = 25;

const keys = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom("a", "ab", "abc", "abd", "b", "\0", "\0\0", "\xff", "a\0", "a\xff"),
  },
  {
    weight: 4,
    arbitrary: fc
      .uint8Array({ minLength: 1, maxLength: 6 })
      .map((bytes) => String.fromCharCode(...bytes.map((byte) => byte & 0x83))),
  },
  { weight: 1, arbitrary: fc.constantFrom("k".repeat(1024), `${"k".repeat(1023)}l`, "k".repeat(700)) },
);

const values = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom("", "v".repeat(300), "w".repeat(5000), "x".repeat(100_000)) },
);

const inTable = { group: fc.nat(1), table: fc.constantFrom(...TABLE_NAMES) };
const ranges = fc.record({ start: keys, prefix: keys, exclusive: fc.boolean() }, { requiredKeys: [] });

const calls: fc.Arbitrary<Call> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ do: fc.constant("put"), ...inTable, key: keys, value: values }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constantFrom("delete", "read"), ...inTable, key: keys }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("prefetch"),
      ...inTable,
      keys: fc.array(keys, { maxLength: PREFETCH_KEYS_MAX }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("clear", "count", "count"), ...inTable }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("range"), ...inTable, options: ranges }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("begin checkpoint", "turn", "turn") }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("checkpoint", "restart") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("snapshot", "destroy"), group: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("install", "install", "install and abort"),
      group: fc.nat(1),
      pieceBytes: fc.constantFrom(1, 100, 100_000),
    }),
  },
) as fc.Arbitrary<Call>;

interface HeldSnapshot {
  readonly snapshot: GroupSnapshot;
  readonly model: ModelGroup;
}

/** An engine and what it should hold. */
class Subject {
  readonly #open: (directory: string) => Promise<StorageEngine>;
  readonly #directory: string;
  #engine!: StorageEngine;
  #stores: GroupStore[] = [];
  readonly #models = GROUPS.map(() => new ModelGroup());
  /** What each group held whenever its engine asked for the applied state, by that state's index. */
  readonly #captured = GROUPS.map(() => new Map<number, ModelGroup>());
  /** Starts above 0, which stands for nothing durable. */
  #writes = 1;
  #underWay: Promise<void>[] = [];
  #held: HeldSnapshot | undefined;

  constructor(open: (directory: string) => Promise<StorageEngine>, directory: string) {
    this.#open = open;
    this.#directory = directory;
  }

  async start(): Promise<void> {
    const durable = this.#stores.map((store) => store.durableIndex());
    this.#engine = await this.#open(this.#directory);
    for (let group = 0; group < GROUPS.length; group += 1) await this.#openGroup(group, durable[group] ?? 0);
  }

  async run(call: Call): Promise<void> {
    switch (call.do) {
      case "prefetch":
        this.#prefetch(call);
        break;
      case "put":
      case "delete":
      case "clear":
        this.#write(call);
        break;
      case "read":
      case "count":
      case "range":
        this.#read(call);
        break;
      case "turn":
        await new Promise((resolve) => setImmediate(resolve));
        break;
      case "begin checkpoint":
        this.#underWay.push(this.#checkpoint());
        break;
      case "checkpoint":
        await this.#checkpoint();
        break;
      case "restart":
        await this.stop();
        await this.start();
        break;
      case "snapshot":
        this.#held?.snapshot.release();
        this.#held = undefined;
        this.#held = await this.#snapshot(call.group);
        break;
      case "destroy":
        await this.#destroy(call.group);
        break;
      case "install":
      case "install and abort":
        await this.#install(call.group, call.pieceBytes, call.do === "install");
        break;
    }
  }

  /** Everything, group by group. */
  check(): void {
    this.#stores.forEach((store, group) => {
      const model = this.#models[group];
      assert.deepEqual(contentOf(store), modelContent(model));
      for (const table of TABLE_NAMES) assert.equal(store.count(table), model.tables[table].entries.size);
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#underWay = [];
    this.#held?.snapshot.release();
    this.#held = undefined;
    await this.#engine.close();
  }

  #prefetch({ group, table, keys }: Call & { do: "prefetch" }): void {
    this.#stores[group].prefetch(table, latin1ToBytes(keys.join("")), spansOf(keys), 0, keys.length);
  }

  #write(call: Call & { do: "put" | "delete" | "clear" }): void {
    this.#writes += 1;
    const store = this.#stores[call.group];
    const { entries } = this.#models[call.group].tables[call.table];
    if (call.do === "put") {
      store.put(call.table, call.key, storedValue(call.value));
      entries.set(call.key, call.value);
    } else if (call.do === "delete") {
      store.delete(call.table, call.key);
      entries.delete(call.key);
    } else {
      store.clear(call.table);
      entries.clear();
    }
  }

  #read(call: Call & { do: "read" | "count" | "range" }): void {
    const store = this.#stores[call.group];
    const table = this.#models[call.group].tables[call.table];
    if (call.do === "count") {
      assert.equal(store.count(call.table), table.entries.size);
    } else if (call.do === "range") {
      const found = [...store.range(call.table, call.options)].map(([key, value]) => [key, valueText(value)]);
      assert.deepEqual(found, table.range(call.options));
    } else {
      assert.equal(valueText(store.get(call.table, call.key)), table.entries.get(call.key));
      assert.equal(store.has(call.table, call.key), table.entries.has(call.key));
    }
  }

  /** Opens a group of which everything up to the index `durable` must be there, and nothing later. */
  async #openGroup(group: number, durable: number): Promise<void> {
    const store = await this.#engine.openGroup(GROUPS[group]);
    this.#stores[group] = store;
    this.#models[group] = new ModelGroup(this.#captured[group].get(durable));
    assert.equal(store.restored?.index ?? 0, durable);
    store.onCheckpoint(() => {
      this.#captured[group].set(this.#writes, new ModelGroup(this.#models[group]));
      return appliedState(this.#writes);
    });
  }

  #checkpoint(): Promise<void> {
    return this.#engine.checkpoint();
  }

  /** Engines may take a snapshot a little later than asked: nothing is written until they have. */
  async #snapshot(group: number): Promise<HeldSnapshot> {
    const snapshot = await this.#stores[group].snapshot();
    return { snapshot, model: new ModelGroup(this.#models[group]) };
  }

  async #destroy(group: number): Promise<void> {
    await this.#stores[group].destroy();
    await this.#openGroup(group, 0);
  }

  /** Installs the snapshot that is held, or one taken now of the other group. */
  async #install(group: number, pieceBytes: number, commits: boolean): Promise<void> {
    const { snapshot, model } = this.#held ?? (await this.#snapshot(1 - group));
    this.#held = undefined;
    const install = this.#stores[group].beginInstall();
    for (;;) {
      const piece = await snapshot.next(pieceBytes);
      if (piece === undefined) break;
      await install.write(piece);
      this.#write({ do: "put", group, table: "data", key: "written meanwhile", value: `${this.#writes}` });
    }
    snapshot.release();
    if (!commits) {
      await install.abort();
      return;
    }
    this.#writes += 1;
    await install.commit(appliedState(this.#writes));
    this.#models[group] = new ModelGroup(model);
    this.#captured[group].set(this.#writes, new ModelGroup(model));
  }
}

export function storageEngineModelContract(open: (directory: string) => Promise<StorageEngine>): void {
  it("behaves like maps", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(calls, { maxLength: 80, size: "max" }), async (sequence) => {
        const directory = mkdtempSync(join(tmpdir(), "minikey-engine-"));
        const subject = new Subject(open, directory);
        await subject.start();
        try {
          for (const call of sequence) await subject.run(call);
          subject.check();
          await subject.run({ do: "checkpoint" });
          subject.check();
          await subject.run({ do: "restart" });
          subject.check();
        } finally {
          await subject.stop();
          rmSync(directory, { recursive: true, force: true });
        }
      }),
      { numRuns: RUNS },
    );
  });
}
