/**
 * No command may stop a replica, whatever its arguments, and all replicas must agree: an exception in the state
 * machine would end every replica, again after each restart. So every write command, with arguments at the edges of
 * what can be said, is applied to three machines: on LMDB, on the trie, and on LMDB with restarts from checkpoints.
 * They must give the same replies and hold the same in the end.
 *
 * `MINIKEYDB_TEST_EDGE_SEEDS=1-1000 npm test -- edge-arguments` looks further.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { SimDisk } from "../../../sim/disk/sim-disk.js";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import type { Entry } from "../../../src/codec/raft-types.js";
import { encodeReply } from "../../../src/commands/reply-encoding.js";
import { COMMANDS } from "../../../src/commands/table.js";
import type { Args, CommandSpec } from "../../../src/commands/types.js";
import { type Bytes, latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { groupId } from "../../../src/core/ids.js";
import { admit } from "../../../src/node/admission.js";
import { encodePreparePart, makeArgs } from "../../../src/node/node-commands.js";
import type { AppliedBatch, PartitionMachine } from "../../../src/node/partition-machine.js";
import { systemClock } from "../../../src/platform/clock.js";
import { openLmdbEngine } from "../../../src/platform/lmdb/engine.js";
import type { GroupStore, StorageEngine } from "../../../src/ports/storage-engine.js";
import { openMemoryEngine } from "../../../src/storage/memory/engine.js";
import { LogRecorder } from "../../support/log-recorder.js";
import { recordsOf } from "../../support/records.js";
import { Seeded } from "../../support/seeded.js";
import { makeTempDir } from "../../support/temp-dir.js";
import {
  apply,
  batchOf,
  commandEntry,
  machineOn,
  newMachine,
  VALUE_BYTES_MAX,
  type Words,
} from "./partition-fixture.js";

const BATCHES = 120;
const COMMANDS_MAX = 8;

const NUMBERS = [
  "0",
  "-0",
  "+1",
  "1",
  "-1",
  "01",
  "00",
  " 1",
  "1 ",
  "",
  "-",
  "1e3",
  "0x10",
  "NaN",
  "nan",
  "inf",
  "-inf",
  "Infinity",
  "127",
  "255",
  "256",
  "65536",
  "2147483647",
  "2147483648",
  "-2147483649",
  "4294967295",
  "4294967296",
  "281474976710655",
  "281474976710656",
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "-9007199254740991",
  "-9007199254740993",
  "8640000000000000",
  "8640000000000001",
  "9223372036854775",
  "9223372036854776",
  "-9223372036854776",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808",
  "-9223372036854775809",
  "18446744073709551615",
  "18446744073709551616",
  "99999999999999999999999999",
  "1.5",
  "-0.0",
  "0.1",
  ".5",
  "5.",
  "1e308",
  "1e4932",
  "1.7e4932",
  "-1e4932",
  "1e-4951",
  "3.0e-324",
  "1e99999",
  "1048575",
  "1048576",
  "1048577",
  "1048570",
];
const OPTIONS = [
  "EX",
  "PX",
  "EXAT",
  "PXAT",
  "NX",
  "XX",
  "GT",
  "LT",
  "GET",
  "KEEPTTL",
  "PERSIST",
  "REPLACE",
  "DB",
  "COPY",
  "MATCH",
  "ANY",
  "STRING",
  "JSON",
  "nx",
  "Ex",
  "ABSENT",
  "COUNT",
  "TYPE",
];
const TEXTS = [
  "v",
  "\0",
  "\r\n",
  "\xff\xfe",
  "\xc3",
  "\xed\xa0\x80",
  '{"a":1}',
  "[]",
  "null",
  "[[[[",
  '"\\ud800"',
  "{}",
  "-",
  "__proto__",
  "constructor",
  "toString",
  "\x80".repeat(64),
  "long".repeat(1000),
];
const KEYS = [
  "a",
  "b",
  "c",
  "d",
  "\0",
  "\xff",
  "\xff\xff",
  "__proto__",
  "k".repeat(1024),
  "k".repeat(1023),
  "{a}1",
];
const JSON_TEXTS = [
  '{"a":1}',
  '{"a":{"a":[1,"x",true,null]},"b":[]}',
  '[[1,2],[],{"a":[3]}]',
  "[9223372036854775807,1e308,-0.0,18446744073709551616]",
  ' { "a" : 1, "\\u0061" : "\\ud800" } ',
  '"\\udc00x"',
  "[]",
  "{}",
  "null",
  "true",
  "1",
  "-9223372036854775808",
  "1e308",
  `${"[".repeat(128)}${"]".repeat(128)}`,
  `{"long":"${"\\\\".repeat(100)}"}`,
];
const JSON_PATHS = [
  "$",
  ".",
  "$.a",
  ".a",
  "a.a",
  "$..a",
  "$..*",
  "$.*",
  "$[0]",
  "$[-1]",
  "$[0,0]",
  "$.a[1:]",
  "$..[0]",
  "$['a','b']",
  "$.__proto__",
  "$.x.y",
  "$[?(@.a||@>0)]",
  `$${"[0]".repeat(127)}`,
];
const NODE_COMMANDS = ["PURGE", "TXN.PREPARE", "TXN.COMMIT", "TXN.ABORT", "TXN.VOTE", "TXN.FORGET"];
const WRITES = COMMANDS.specs.filter(
  ({ access, run, name }) => access === "write" && (run !== undefined || name === "ONCE"),
);
const IDS = ["n1.1.a", "n1.2.b", "n1.99999999999999.c", "n2.1.d", "t", "", "..", "n.1.", "x".repeat(2000)];
const TIMES = [0, 1, 1_000, 2_000, 1_700_000_000_000, 1_700_000_000_001, 2 ** 47, 2 ** 48 - 1];

/** What a partition is given of a command. */
const wordsOf = (args: Args): Words =>
  Array.from({ length: args.count }, (_, i) =>
    i === 0 ? args.text(0) : args.bytes.subarray(args.start(i), args.end(i)),
  );

/** Commands at the edges: those that a node would take, or any. */
class EdgeCommands {
  readonly #random: Seeded;
  readonly #isChecked: boolean;

  constructor(random: Seeded, isChecked = true) {
    this.#random = random;
    this.#isChecked = isChecked;
  }

  next(): Words {
    const random = this.#random;
    if (!this.#isChecked) return this.#clientCommand();
    for (;;) {
      const words = random.chance(0.15) ? this.#nodeCommand() : this.#clientCommand();
      const spec = COMMANDS.byName(String(words[0]));
      if (spec === undefined) return words;
      try {
        const admitted = admit(spec, makeArgs(words), { valueBytesMax: VALUE_BYTES_MAX }, () => 0);
        return wordsOf(admitted);
      } catch (error) {
        if (!(error instanceof MinikeyError)) throw error;
      }
    }
  }

  #key(): string {
    return this.#random.pick(KEYS);
  }

  #word(): string | Bytes {
    const random = this.#random;
    const kind = random.below(10);
    if (kind < 4) return random.pick(NUMBERS);
    if (kind < 7) return random.pick(OPTIONS);
    if (kind < 8) return this.#key();
    return random.pick(TEXTS);
  }

  #clientCommand(): Words {
    const random = this.#random;
    const spec = random.pick(WRITES);
    if (spec.name === "ONCE") {
      const number = random.pick(["0", "1", "2", "3", "999999999999999", "000", random.pick(NUMBERS)]);
      return [
        "ONCE",
        random.pick(["s1", "s2", "__proto__", "\xff", "x".repeat(1000)]),
        number,
        ...this.#clientCommand(),
      ];
    }
    if (spec.name === "KV.PUT") {
      const version = random.pick([...NUMBERS, "1", "2", "3"]);
      const expiry = random.pick([...NUMBERS, "0", "0"]);
      return [
        "KV.PUT",
        this.#key(),
        random.pick(["string", "json"]),
        random.pick(["any", "nx", "xx", "match"]),
        version,
        expiry,
        random.pick(TEXTS),
      ];
    }
    if (spec.name === "KV.LOAD") {
      const records = Array.from(
        { length: random.below(4) },
        () => [this.#key(), random.pick(TEXTS)] as const,
      );
      return ["KV.LOAD", this.#key(), recordsOf(...records)];
    }
    if (spec.group === "json" && random.chance(0.9)) return this.#documentCommand(spec);
    const least = Math.abs(spec.arity) - 1;
    const count = spec.arity < 0 ? least + random.below(6) : least;
    const words = Array.from({ length: count }, () => this.#word());
    const { first, last, step } = spec.keys;
    const end = last < 0 ? count : last;
    if (first > 0)
      for (let i = first; i <= end; i += step) if (random.chance(0.97)) words[i - 1] = this.#key();
    return [spec.name, ...words];
  }

  /** Mostly a key, a path, and JSON, which may be a number. */
  #documentCommand({ name, arity }: CommandSpec): Words {
    const random = this.#random;
    const least = Math.abs(arity) - 1;
    const count = arity < 0 ? least + random.below(3) : least;
    const isSeveral = name === "JSON.MSET";
    const words = Array.from({ length: isSeveral ? 3 * (1 + random.below(3)) : count }, (_, i) => {
      const place = isSeveral ? i % 3 : i;
      if (place === 0) return this.#key();
      if (place === 1) return random.pick(JSON_PATHS);
      return random.chance(0.4)
        ? random.pick(["0", "1", "-1", "2", "1.5", "NX", "XX"])
        : random.pick(JSON_TEXTS);
    });
    return [name, ...words];
  }

  #nodeCommand(): Words {
    const random = this.#random;
    const name = random.pick(NODE_COMMANDS);
    if (name === "PURGE") return [name, this.#key()];
    const id = random.pick(IDS);
    if (name === "TXN.FORGET" && random.chance(0.5)) return [name, id, "FENCE"];
    if (name !== "TXN.PREPARE") return [name, id];
    const keys = [...new Set(Array.from({ length: random.below(3) }, () => this.#key()))];
    const part = encodePreparePart({
      participants: [groupId(7), groupId(8)],
      checks: keys.map((key) => ({ key, version: random.pick([-1, -1, -1, 0, 1, 2 ** 47]) })),
      writes: keys.map((key) =>
        random.chance(0.3)
          ? { action: "delete", key }
          : {
              action: "put",
              key,
              type: random.pick(["string", "json"]),
              expiresAtMs: random.pick([0, 1, 2 ** 53 - 1, 1_700_000_000_500]),
              // A document is stored by a transaction only as its text.
              value: latin1ToBytes(random.pick(["[]", '{"a":[1]}', "null", '"\\ud800"'])),
            },
      ),
      wantsValues: random.chance(0.3),
    });
    return [name, id, part];
  }
}

/** Entries that mostly go on in order, and sometimes repeat or leave out a number. */
function entriesOf(seed: number): { entry: Entry; text: string }[] {
  const random = new Seeded(seed);
  const commands = new EdgeCommands(random);
  const sessions = new Map<number, number>();
  const hasBigJumps = random.chance(0.2);
  let timeMs = 1_700_000_000_000;
  return Array.from({ length: BATCHES }, (_, i) => {
    const words = Array.from({ length: random.below(COMMANDS_MAX) }, () => commands.next());
    const session = random.chance(0.05) ? 1_000 + i : random.below(3);
    const sequence = Math.max(
      1,
      (sessions.get(session) ?? 0) + (random.chance(0.9) ? 1 : random.below(5) - 2),
    );
    sessions.set(session, Math.max(sequence, sessions.get(session) ?? 0));
    timeMs += random.below(1_000);
    const stampMs = hasBigJumps && random.chance(0.05) ? random.pick(TIMES) : timeMs;
    const acked = Math.max(0, sequence - random.below(4));
    const data = batchOf({ session: session + 1, sequence, commands: words, acked, timeMs: stampMs });
    return {
      entry: commandEntry(i + 1, data),
      text: words.map((each) => each.map(show).join(" ")).join("; "),
    };
  });
}

const show = (word: string | Bytes): string =>
  JSON.stringify(typeof word === "string" ? word : word.latin1Slice(0, word.length)).slice(0, 60);

/** A machine that may be stopped after a checkpoint and started again from it. */
class Replica {
  readonly #engine: StorageEngine;
  readonly #group: number;
  #store: GroupStore | undefined;
  #machine: PartitionMachine | undefined;
  readonly #since: Entry[] = [];

  constructor(engine: StorageEngine, group: number) {
    this.#engine = engine;
    this.#group = group;
  }

  get machine(): PartitionMachine {
    assert(this.#machine !== undefined);
    return this.#machine;
  }

  async open(): Promise<this> {
    const store = await this.#engine.openGroup(groupId(this.#group));
    const machine = machineOn(store);
    store.onCheckpoint(() => machine.capture());
    this.#store = store;
    this.#machine = machine;
    return this;
  }

  apply(entry: Entry): AppliedBatch {
    this.#since.push(entry);
    return this.machine.apply(entry);
  }

  /** As after a crash: what came after the checkpoint is applied again. */
  async restart(): Promise<void> {
    await this.#store?.close();
    await this.open();
    const { appliedIndex } = this.machine;
    const again = this.#since.filter(({ index }) => index > appliedIndex);
    for (const entry of again) this.machine.apply(entry);
  }

  content(): unknown {
    const store = this.#store;
    assert(store !== undefined);
    const tables = (["data", "expiry", "meta"] as const).map((table) =>
      [...store.range(table)].map(([key, { bytes, start, end }]) => [key, bytes.latin1Slice(start, end)]),
    );
    const { state } = this.machine.capture();
    return [...tables, state.latin1Slice(0, state.length)];
  }
}

function encoded({ status, replies }: AppliedBatch): string {
  const writer = new ByteWriter();
  for (const reply of replies) encodeReply(writer, reply);
  return `${status} ${writer.toBytes().latin1Slice(0, writer.length)}`;
}

async function run(seed: number, disk: StorageEngine, memory: StorageEngine): Promise<void> {
  const entries = entriesOf(seed);
  const random = new Seeded(seed ^ 0xed9e);
  const onDisk = await new Replica(disk, 2 * seed).open();
  const inMemory = await new Replica(memory, 2 * seed).open();
  const restarting = await new Replica(disk, 2 * seed + 1).open();
  for (const { entry, text } of entries) {
    const where = `seed ${seed}, entry ${entry.index}: ${text}`;
    try {
      const replies = encoded(onDisk.apply(entry));
      assert.equal(encoded(inMemory.apply(entry)), replies, where);
      assert.equal(encoded(restarting.apply(entry)), replies, where);
      if (random.chance(0.04)) await disk.checkpoint();
      if (random.chance(0.04)) await restarting.restart();
    } catch (error) {
      throw new Error(`${where}: ${String(error)}`, { cause: error });
    }
  }
  await restarting.restart();
  assert.deepEqual(inMemory.content(), onDisk.content(), `seed ${seed}: LMDB and the trie differ`);
  assert.deepEqual(restarting.content(), onDisk.content(), `seed ${seed}: the restarted replica differs`);
}

test("whatever the arguments of a write, no replica stops, and all give the same replies and hold the same", async (t) => {
  const [first, last] = (process.env["MINIKEYDB_TEST_EDGE_SEEDS"] ?? "1-40").split("-").map(Number);
  const clock = systemClock();
  const logger = new LogRecorder();
  const disk = await openLmdbEngine({ path: join(makeTempDir(t), "lmdb"), clock, logger });
  t.after(async () => await disk.close());
  const memoryDisk = new SimDisk(() => 0.5);
  const memory = await openMemoryEngine({ disk: memoryDisk, directory: "memory", clock, logger });
  for (let seed = first; seed <= (last ?? first); seed += 1) await run(seed, disk, memory);
});

test("what no node should have let through does not stop a replica either", async () => {
  const seed = 5;
  const commands = new EdgeCommands(new Seeded(seed), false);
  const machine = await newMachine();
  for (let sequence = 1; sequence <= 20_000; sequence += 1) {
    const words = commands.next();
    try {
      const batch = { session: 1, sequence, acked: sequence - 1, commands: [words] };
      assert.equal(apply(machine, batch).status, "applied");
    } catch (error) {
      throw new Error(`${words.map(show).join(" ")}: ${String(error)}`, { cause: error });
    }
  }
});
