/**
 * Reads of one moment over partitions whose every step the test decides: what is written when, in which state a
 * question is carried out, when its answer comes, and how far this node's own replicas are behind.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Reply, Slice } from "../../../src/commands/reply.js";
import { runCommand } from "../../../src/commands/run.js";
import type { Args, CommandSpec, Entry, Looked } from "../../../src/commands/types.js";
import { type Key, latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { type GroupId, keyspaceId, partitionId } from "../../../src/core/ids.js";
import { type Meanings, oneMeaning } from "../../../src/document/meanings.js";
import { groupIn, type Route } from "../../../src/node/coordinator.js";
import type { ReplySink } from "../../../src/node/database.js";
import { KV_FIELD } from "../../../src/node/field-command.js";
import { retainReply } from "../../../src/node/retain-reply.js";
import { type SnapshotHost, SnapshotReads } from "../../../src/node/snapshot-reads.js";
import { StoreView } from "../../../src/node/store-view.js";
import { partitionTable } from "../../../src/sharding/partitions.js";
import { HandClock } from "../../support/hand-clock.js";
import { Seeded } from "../../support/seeded.js";
import { newStore, VALUE_BYTES_MAX } from "./partition-fixture.js";
import { keysApart, partitionOfKey } from "./scenario.js";

const PARTITIONS = 3;
const REQUEST_TIMEOUT_MS = 2_500;
const table = partitionTable(PARTITIONS);

const ROUTE: Route = {
  keyspace: {
    id: keyspaceId(0),
    name: "default",
    consistency: "strong",
    storage: "disk",
    replicas: 1,
    partitions: PARTITIONS,
    placement: [],
    founders: {},
  },
  guarantee: "linearizable",
  level: "majority",
  partitionOf: (slot) => table[slot],
  eventual: undefined,
};

/** A question on its way to a partition, or its answer on the way back. */
interface Question {
  readonly partition: number;
  readonly args: Args;
  readonly sink: ReplySink;
  reply: Reply | undefined;
}

/** Texts of keys, or of the fields `f` of their documents; absent ones are left out. */
type Moment = ReadonlyMap<Key, string>;

class Partitions implements SnapshotHost {
  readonly clock = new HandClock();
  readonly views: readonly StoreView[];
  /** How far this node's own replica is; undefined where there is none. */
  readonly applied: (number | undefined)[] = [0, 0, 0];
  readonly open: Question[] = [];
  readonly history: Moment[] = [new Map()];
  questions = 0;
  lockedReads = 0;
  guarantees = new Set<string>();
  readonly requests: SnapshotHost["requests"];

  constructor(views: readonly StoreView[]) {
    this.views = views;
    this.requests = {
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      // No replica is here to be read at once.
      ownReads: undefined,
      replica: () => undefined,
      wakeReader: () => undefined,
      monotonicMs: () => this.clock.monotonicMs(),
      wallMs: () => this.clock.wallMs(),
      appliedRevision: (group) => this.applied[partitionOf(group)],
      read: (group, spec, args, guarantee, sink) => this.#onQuestion(group, spec, args, guarantee, sink),
    };
  }

  static async open(): Promise<Partitions> {
    const stores = await Promise.all(Array.from({ length: PARTITIONS }, async () => await newStore()));
    return new Partitions(stores.map((store) => new StoreView(store, VALUE_BYTES_MAX)));
  }

  #onQuestion(group: GroupId, spec: CommandSpec, args: Args, guarantee: string, sink: ReplySink): void {
    assert.equal(spec, KV_FIELD);
    this.guarantees.add(guarantee);
    this.questions += 1;
    this.open.push({ partition: partitionOf(group), args, sink, reply: undefined });
  }

  /** Under their locks: at one moment, in a while. */
  async readLocked(keys: readonly Key[]): Promise<ReadonlyMap<Key, Entry>> {
    this.lockedReads += 1;
    await Promise.resolve();
    return new Map(
      keys.flatMap((key) => {
        const entry = this.viewOf(key).get(key);
        return entry === undefined ? [] : [[key, entry] as const];
      }),
    );
  }

  viewOf(key: Key): StoreView {
    return this.views[partitionOfKey(key, PARTITIONS)];
  }

  /** One write over all partitions, as a transaction makes it; undefined deletes. */
  write(changes: Readonly<Record<Key, string | undefined>>): void {
    const moment = new Map(this.history.at(-1));
    for (const [key, text] of Object.entries(changes)) {
      if (text === undefined) {
        this.viewOf(key).delete(key);
        moment.delete(key);
      } else {
        const bytes = latin1ToBytes(JSON.stringify({ other: "x", f: text }));
        this.viewOf(key).set(key, "json", bytes, 0, bytes.length, 0);
        moment.set(key, text);
      }
    }
    this.history.push(moment);
  }

  /** The partition carries the question out, in the state that it is in. */
  carryOut(question: Question): void {
    const reply = runCommand(KV_FIELD, this.views[question.partition], question.args);
    question.reply = retainReply(reply);
  }

  /** The answer comes. */
  deliver(question: Question): void {
    if (question.reply === undefined) this.carryOut(question);
    this.open.splice(this.open.indexOf(question), 1);
    question.sink.onReply(question.reply ?? null);
  }

  deliverAll(): void {
    for (const question of [...this.open]) this.deliver(question);
  }

  /** This node's replicas are up to date. */
  catchUp(): void {
    this.views.forEach((view, i) => {
      if (this.applied[i] !== undefined) this.applied[i] = view.revision;
    });
  }
}

const partitionOf = (group: GroupId): number =>
  Array.from({ length: PARTITIONS }, (_, i) => i).findIndex(
    (i) => groupIn(ROUTE.keyspace, partitionId(i)) === group,
  );

function textOf(looked: Looked | undefined): string | undefined {
  if (looked?.found.kind !== "value") return undefined;
  const text: unknown = JSON.parse(looked.bytes.latin1Slice(looked.found.start, looked.found.end));
  return String(text);
}

const fieldsOf = (keys: readonly Key[]): Meanings[] => keys.map((key) => oneMeaning(key, ["f"]));

type Outcome = readonly (string | undefined)[] | MinikeyError;

/** Starts a read; what is returned gives its outcome once it has one. */
function look(partitions: Partitions, keys: readonly Key[], route = ROUTE): () => Outcome | undefined {
  const outcomes: Outcome[] = [];
  const reads = new SnapshotReads(partitions);
  for (const field of fieldsOf(keys)) reads.paths.add(field);
  reads.look(0, route, {
    onResolved(results) {
      outcomes.push(results instanceof MinikeyError ? results : results.map(textOf));
      assert.equal(outcomes.length, 1, "done twice");
    },
  });
  return () => outcomes[0];
}

const [a, b, c] = keysApart(PARTITIONS, PARTITIONS);
/** In the partition of `a`. */
const beside = `{${a}}.beside`;

test("what is read stood together at a moment of the request, whatever is written and however late answers are", async () => {
  const reached = { oneRound: 0, confirmed: 0, severalRounds: 0, locked: 0, withoutReplica: 0 };
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = new Seeded(seed);
    const partitions = await Partitions.open();
    const keys = [a, b, c, beside].filter((_, i) => i < 2 || random.chance(0.7));
    let written = 0;
    const writeSome = () => {
      const changes: Record<Key, string | undefined> = {};
      for (const key of keys) {
        if (!random.chance(0.4)) continue;
        written += 1;
        changes[key] = random.chance(0.3) ? undefined : `w${written}`;
      }
      partitions.write(changes);
    };
    for (let i = random.below(4); i > 0; i -= 1) writeSome();
    for (let i = 0; i < PARTITIONS; i += 1) {
      if (random.chance(0.15)) partitions.applied[i] = undefined;
      else partitions.applied[i] = partitions.views[i].revision - (random.chance(0.3) ? 1 : 0);
    }
    if (partitions.applied.includes(undefined)) reached.withoutReplica += 1;
    const firstMoment = partitions.history.length - 1;
    const read = look(partitions, keys);
    const calm = 0.1 + 0.9 * random.unit();
    while (read() === undefined && partitions.open.length > 0) {
      const question = random.pick(partitions.open);
      if (random.chance(calm)) partitions.deliver(question);
      else if (random.chance(0.5) && question.reply === undefined) partitions.carryOut(question);
      else writeSome();
    }
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    const outcome = read();
    assert(Array.isArray(outcome), `seed ${seed}: ${String(outcome)}`);
    const stood = partitions.history
      .slice(firstMoment)
      .some((moment) => keys.every((key, i) => moment.get(key) === outcome[i]));
    assert(stood, `seed ${seed}: ${JSON.stringify(outcome)} never stood together`);
    const asked = new Set(keys.map((key) => partitionOfKey(key, PARTITIONS))).size;
    if (partitions.lockedReads > 0) reached.locked += 1;
    else if (partitions.questions === asked) reached.oneRound += 1;
    else if (partitions.questions < 2 * asked) reached.confirmed += 1;
    else reached.severalRounds += 1;
  }
  for (const [way, times] of Object.entries(reached)) assert(times > 5, `${way}: ${times} times`);
});

test("partitions that nothing is written to are asked once", async () => {
  const partitions = await Partitions.open();
  partitions.write({ [a]: "1", [b]: "2" });
  partitions.catchUp();
  const read = look(partitions, [a, b, c]);
  assert.equal(partitions.questions, 3);
  partitions.deliverAll();
  assert.deepEqual(read(), ["1", "2", undefined]);
});

test("other keys of the partitions may be written and deleted all the time", async () => {
  const partitions = await Partitions.open();
  partitions.write({ [a]: "1", [beside]: "x" });
  partitions.catchUp();
  const read = look(partitions, [a, b, c]);
  partitions.write({ [beside]: "y" });
  partitions.write({ [beside]: undefined });
  partitions.deliverAll();
  assert.deepEqual([read(), partitions.questions], [["1", undefined, undefined], 3]);
});

test("one key that is written all the time costs the others a second question, and never a lock", async () => {
  const partitions = await Partitions.open();
  partitions.write({ [a]: "1", [b]: "2" });
  partitions.catchUp();
  const read = look(partitions, [a, b, c]);
  partitions.write({ [a]: "3" });
  partitions.deliverAll();
  assert.equal(read(), undefined);
  partitions.write({ [a]: "4" });
  partitions.deliverAll();
  assert.deepEqual(read(), ["3", "2", undefined], "a as it was answered first");
  assert.equal(partitions.questions, 5);
  assert.equal(partitions.lockedReads, 0);
});

test("a key that was deleted and one that was made between are not taken for absent both", async () => {
  const partitions = await Partitions.open();
  partitions.write({ [a]: "1" });
  partitions.catchUp();
  const read = look(partitions, [a, b]);
  const [first, second] = [...partitions.open];
  // b is looked at before the move, a after it.
  partitions.deliver(second);
  partitions.write({ [a]: undefined, [b]: "1" });
  partitions.deliver(first);
  assert.equal(read(), undefined);
  partitions.deliverAll();
  partitions.deliverAll();
  assert.deepEqual(read(), [undefined, "1"]);
});

test("keys that are written together again and again are read under a lock", async () => {
  const partitions = await Partitions.open();
  const read = look(partitions, [a, b]);
  for (let round = 0; partitions.open.length > 0; round += 1) {
    partitions.write({ [a]: `${round}`, [b]: `${round}` });
    partitions.deliverAll();
  }
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  assert.equal(partitions.lockedReads, 1);
  const outcome = read();
  assert(Array.isArray(outcome) && outcome[0] === outcome[1], String(outcome));
});

test("a value that has not changed does not travel again", async () => {
  const partitions = await Partitions.open();
  partitions.write({ [a]: "1", [b]: "2", [c]: "3" });
  const read = look(partitions, [a, b, c]);
  partitions.deliverAll();
  const again = [...partitions.open];
  assert.equal(again.length, 3);
  for (const question of again) {
    partitions.carryOut(question);
    const [, answer] = question.reply as readonly Reply[];
    assert(Array.isArray(answer) && answer.every((item) => !(item instanceof Slice)), "no value in it");
  }
  partitions.deliverAll();
  assert.deepEqual(read(), ["1", "2", "3"]);
});

test("a stale read asks once, with its guarantee, and takes what it gets", async () => {
  const partitions = await Partitions.open();
  const read = look(partitions, [a, b], { ...ROUTE, guarantee: "stale" });
  partitions.write({ [a]: "1" });
  partitions.deliverAll();
  assert.deepEqual(read(), ["1", undefined]);
  assert.deepEqual([...partitions.guarantees], ["stale"]);
});

test("one partition's refusal is the answer, whatever the others say later", async () => {
  const partitions = await Partitions.open();
  const read = look(partitions, [a, b]);
  const [first, second] = [...partitions.open];
  const refusal = new MinikeyError("NO_QUORUM", "no majority");
  first.sink.onReply(refusal);
  assert.equal(read(), refusal);
  partitions.deliver(second);
  assert.equal(read(), refusal);
});

test("rounds that would take too long together end in time", async () => {
  const partitions = await Partitions.open();
  const read = look(partitions, [a, b]);
  partitions.write({ [a]: "1", [b]: "1" });
  partitions.clock.advance(REQUEST_TIMEOUT_MS - 1);
  partitions.deliverAll();
  assert.equal(read(), undefined);
  partitions.clock.advance(REQUEST_TIMEOUT_MS);
  const outcome = read();
  assert(outcome instanceof MinikeyError && outcome.code === "NO_QUORUM");
  partitions.deliverAll();
});
