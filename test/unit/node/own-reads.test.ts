/**
 * Lookups on this node's own replicas, which follow what is committed each at its own pace: the test decides what is
 * written, how far each replica is, and when it may be read.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AskedPaths, Looked } from "../../../src/commands/types.js";
import { type Key, latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { type GroupId, keyspaceId, partitionId } from "../../../src/core/ids.js";
import { type Meanings, meaningsOf, oneMeaning } from "../../../src/document/meanings.js";
import { groupIn, type Route } from "../../../src/node/coordinator.js";
import { OwnReads, type OwnReadsHost } from "../../../src/node/own-reads.js";
import type { PartitionMachine } from "../../../src/node/partition-machine.js";
import type { ReadReady, ReplicaGroup } from "../../../src/node/replica-group.js";
import { partitionTable } from "../../../src/sharding/partitions.js";
import { Seeded } from "../../support/seeded.js";
import { newMachine } from "./partition-fixture.js";
import { keysApart, partitionOfKey } from "./scenario.js";

const PARTITIONS = 3;
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

/** This node's replica of one partition: what is committed, how much of that it has applied, who waits to read. */
class Replica {
  readonly id: GroupId;
  readonly machine: PartitionMachine;
  isInstalling = false;
  readonly #committed: (readonly [Key, string | undefined])[] = [];
  #applied = 0;
  #asked: { readonly index: number; readonly ready: ReadReady }[] = [];

  constructor(id: GroupId, machine: PartitionMachine) {
    this.id = id;
    this.machine = machine;
  }

  get isBehind(): boolean {
    return this.#applied < this.#committed.length;
  }

  get isAsked(): boolean {
    return this.#asked.length > 0;
  }

  commit(key: Key, text: string | undefined): void {
    this.#committed.push([key, text]);
  }

  applyNext(): void {
    const next = this.#committed.at(this.#applied);
    if (next === undefined) return;
    const [key, text] = next;
    this.#applied += 1;
    const bytes = latin1ToBytes(text ?? "");
    if (text === undefined) this.machine.view.delete(key);
    else this.machine.view.set(key, "string", bytes, 0, bytes.length, 0);
  }

  awaitReadable(ready: ReadReady): void {
    this.#asked.push({ index: this.#committed.length, ready });
  }

  /** Those may read that have waited for what is applied now. */
  release(confirmed = true): void {
    const due = this.#asked.filter(({ index }) => !confirmed || index <= this.#applied);
    this.#asked = this.#asked.filter((asked) => !due.includes(asked));
    for (const { ready } of due) ready(confirmed);
  }
}

type Outcome = readonly (string | undefined)[] | "long way";

class Here implements OwnReadsHost {
  readonly replicas: Replica[] = [];
  readonly reads = new OwnReads(this, { ask: (_paths, _route, sink) => sink.onResolved(LONG_WAY, NO_PATHS) });
  nowMs = 1_000;
  woken = 0;

  static async open(): Promise<Here> {
    const here = new Here();
    for (let i = 0; i < PARTITIONS; i += 1) {
      here.replicas.push(new Replica(groupIn(ROUTE.keyspace, partitionId(i)), await newMachine()));
    }
    return here;
  }

  monotonicMs = (): number => this.nowMs;
  wallMs = (): number => this.nowMs;
  wakeReader = (): void => {
    this.woken += 1;
  };

  replica(group: GroupId): ReplicaGroup | undefined {
    // As much of one as reads need.
    return this.replicas.find(({ id }) => id === group) as unknown as ReplicaGroup | undefined;
  }

  of(key: Key): Replica {
    return this.replicas[partitionOfKey(key, PARTITIONS)];
  }

  /** Commits, and has it applied. */
  write(key: Key, text: string | undefined): void {
    this.of(key).commit(key, text);
    this.of(key).applyNext();
  }

  look(keys: readonly Key[], route = ROUTE): () => Outcome | undefined {
    return this.lookAt(
      keys.map((key) => oneMeaning(key, [])),
      route,
    );
  }

  lookAt(paths: readonly Meanings[], route = ROUTE): () => Outcome | undefined {
    const outcomes: Outcome[] = [];
    const first = this.reads.paths.count;
    for (const path of paths) this.reads.paths.add(path);
    this.reads.look(first, route, {
      onResolved(results) {
        outcomes.push(results instanceof MinikeyError ? "long way" : results.map(textOf));
        assert.equal(outcomes.length, 1, "done twice");
      },
    });
    return () => outcomes[0];
  }

  releaseAll(): void {
    for (const replica of this.replicas) replica.release();
  }
}

/** The keys of others, whose values are bytes: nothing leads into them. */
class MeaningsOfBytes implements Meanings {
  readonly #meanings: Meanings;

  constructor(meanings: Meanings) {
    this.#meanings = meanings;
  }

  get text(): string {
    return this.#meanings.text;
  }

  get count(): number {
    return this.#meanings.count;
  }

  keyAt(i: number): Key {
    return this.#meanings.keyAt(i);
  }

  wayAt(): readonly string[] {
    return [];
  }
}

const NO_PATHS: AskedPaths = { meaningsAt: () => oneMeaning("k", []) };
const LONG_WAY = new MinikeyError("INTERNAL", "the long way");

function textOf(looked: Looked | undefined): string | undefined {
  if (looked?.found.kind !== "value") return undefined;
  return looked.bytes.latin1Slice(looked.found.start, looked.found.end);
}

const [a, b, c] = keysApart(PARTITIONS, PARTITIONS);

test("what is answered here stood together at a moment of the request, however far behind each replica is", async () => {
  const reached = { here: 0, "the long way": 0 };
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = new Seeded(seed);
    const here = await Here.open();
    const keys = [a, b, c];
    const history: ReadonlyMap<Key, string>[] = [new Map()];
    const writeSome = () => {
      const moment = new Map(history.at(-1));
      for (const key of keys.filter(() => random.chance(0.4))) {
        const text = random.chance(0.3) ? undefined : `w${history.length}`;
        here.of(key).commit(key, text);
        if (text === undefined) moment.delete(key);
        else moment.set(key, text);
      }
      history.push(moment);
    };
    for (let i = random.below(4); i > 0; i -= 1) writeSome();
    for (let i = random.below(8); i > 0; i -= 1) random.pick(here.replicas).applyNext();
    const firstMoment = history.length - 1;
    const outcomeOf = here.look(keys);
    const writes = random.unit() / 2;
    if (random.chance(writes)) writeSome();
    here.reads.flush();
    while (outcomeOf() === undefined) {
      if (random.chance(writes)) writeSome();
      random.pick(here.replicas).applyNext();
      random.pick(here.replicas).release();
    }
    const outcome = outcomeOf();
    reached[outcome === "long way" ? "the long way" : "here"] += 1;
    if (outcome === undefined || outcome === "long way") continue;
    const stood = history
      .slice(firstMoment)
      .some((moment) => keys.every((key, i) => moment.get(key) === outcome[i]));
    assert(stood, `seed ${seed}: ${JSON.stringify(outcome)} never stood together`);
  }
  for (const [way, times] of Object.entries(reached)) assert(times > 40, `${way}: ${times} times`);
});

test("a read waits for its own partitions only", async () => {
  const here = await Here.open();
  here.write(a, "1");
  const ofA = here.look([a]);
  const ofBoth = here.look([a, b]);
  here.reads.flush();
  assert.equal(here.reads.pending, 2);
  here.of(a).release();
  assert.deepEqual(ofA(), ["1"]);
  assert.equal(ofBoth(), undefined);
  here.of(b).release();
  assert.deepEqual(ofBoth(), ["1", undefined]);
  assert.equal(here.reads.pending, 0);
});

test("a key that has gone and one that has not come yet are not taken for absent both", async () => {
  const here = await Here.open();
  here.write(a, "1");
  const outcome = here.look([a, b]);
  here.reads.flush();
  here.of(a).commit(a, undefined);
  here.of(b).commit(b, "1");
  here.of(a).applyNext();
  here.releaseAll();
  assert.equal(outcome(), "long way");
});

test("keys of one partition are read at one state of it, whatever was written to them", async () => {
  const here = await Here.open();
  const [first, second] = [`{${a}}1`, `{${a}}2`];
  const outcome = here.look([first, second]);
  here.reads.flush();
  here.write(first, "1");
  here.write(second, "2");
  here.releaseAll();
  assert.deepEqual(outcome(), ["1", "2"]);
});

/** A path whose keys lie in different partitions. */
function pathApart(): string {
  for (let i = 0; ; i += 1) {
    const path = `k${i}.a.b`;
    const partitions = [path, `k${i}.a`, `k${i}`].map((key) => partitionOfKey(key, PARTITIONS));
    if (new Set(partitions).size === PARTITIONS) return path;
  }
}

test("the longest key that exists is meant, as of one moment with those that do not exist", async () => {
  const path = pathApart();
  const reached = new Map<number, number>();
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = new Seeded(seed);
    const here = await Here.open();
    const keys = [path, path.slice(0, -2), path.slice(0, -4)];
    let moment: ReadonlyMap<Key, string> = new Map();
    const meant = () => keys.map((key) => moment.get(key)).find((text) => text !== undefined);
    const writeSome = () => {
      const next = new Map(moment);
      for (const key of keys.filter(() => random.chance(0.4))) {
        const text = random.chance(0.5) ? undefined : `${key.length}:${random.below(1000)}`;
        here.of(key).commit(key, text);
        if (text === undefined) next.delete(key);
        else next.set(key, text);
      }
      moment = next;
    };
    for (let i = random.below(4); i > 0; i -= 1) writeSome();
    for (const replica of here.replicas) while (replica.isBehind && random.chance(0.9)) replica.applyNext();
    const stood = [meant()];
    const outcomeOf = here.lookAt([new MeaningsOfBytes(meaningsOf(path))]);
    here.reads.flush();
    const writes = random.unit() / 2;
    while (outcomeOf() === undefined) {
      if (random.chance(writes)) {
        writeSome();
        stood.push(meant());
      }
      random.pick(here.replicas).applyNext();
      random.pick(here.replicas).release();
    }
    const outcome = outcomeOf();
    if (outcome === undefined || outcome === "long way") continue;
    assert(stood.includes(outcome[0]), `seed ${seed}: ${outcome[0]} was never meant`);
    const length = Number(outcome[0]?.split(":")[0] ?? 0);
    reached.set(length, (reached.get(length) ?? 0) + 1);
  }
  for (const length of [path.length, path.length - 2, path.length - 4, 0]) {
    assert((reached.get(length) ?? 0) > 5, `a key of ${length} characters was seldom meant`);
  }
});

test("a read that cannot be carried out here leaves the others of its turn as they are", async () => {
  const here = await Here.open();
  here.write(a, "1");
  here.write(b, "2");
  here.of(c).isInstalling = true;
  const before = here.look([a, b]);
  assert.equal(here.look([b, a, c])(), "long way");
  const behind = here.look([b, a]);
  here.reads.flush();
  here.releaseAll();
  assert.deepEqual(
    [before(), behind()],
    [
      ["1", "2"],
      ["2", "1"],
    ],
  );
});

test("what is asked while those under way are ended goes the long way, too", async () => {
  const here = await Here.open();
  let next: (() => Outcome | undefined) | undefined;
  here.reads.paths.add(oneMeaning(a, []));
  here.reads.look(0, ROUTE, {
    onResolved() {
      // As a pipeline does: a command that waited for this one.
      next = here.look([a, b]);
    },
  });
  here.reads.flush();
  here.reads.close();
  assert.equal(next?.(), "long way");
  assert.equal(here.reads.pending, 0);
});

test("a lock, an overdue key, no leader, and a replica that has gone lead to the long way", async () => {
  const cases: Readonly<Record<string, (here: Here) => void>> = {
    lock: (here) => {
      const { transactions } = here.of(b).machine;
      transactions.prepare({ id: "n1.1.x", participants: [], locked: [b], writes: [] });
      here.releaseAll();
    },
    "overdue key": (here) => {
      here.of(b).machine.view.set(b, "string", latin1ToBytes("2"), 0, 1, here.nowMs - 1);
      here.releaseAll();
    },
    "no leader": (here) => here.of(b).release(false),
    "no answer in time": (here) => {
      here.nowMs += 201;
      here.reads.sweep();
    },
    "a replica that has gone": (here) => {
      here.replicas.splice(here.replicas.indexOf(here.of(b)), 1);
      here.releaseAll();
      here.reads.sweep();
    },
    "the end of the node": (here) => here.reads.close(),
  };
  for (const [name, happen] of Object.entries(cases)) {
    const here = await Here.open();
    here.write(a, "1");
    const outcome = here.look([a, b]);
    here.reads.flush();
    here.of(a).release();
    const gone = here.of(b);
    happen(here);
    gone.release();
    assert.equal(outcome(), "long way", name);
    here.releaseAll();
    assert.equal(here.reads.pending, 0, name);
  }
});

test("a key whose time comes while the read waits is not said to be gone, nor shown", async () => {
  const here = await Here.open();
  here.of(b).machine.view.set(b, "string", latin1ToBytes("2"), 0, 1, here.nowMs + 10);
  const outcome = here.look([b]);
  here.reads.flush();
  here.nowMs += 10;
  here.releaseAll();
  assert.equal(outcome(), "long way");
});

test("a partition without a replica here, or with one that is being replaced, is asked the long way at once", async () => {
  const here = await Here.open();
  here.of(b).isInstalling = true;
  assert.equal(here.look([a, b])(), "long way");
  here.replicas.splice(here.replicas.indexOf(here.of(b)), 1);
  assert.equal(here.look([a, b])(), "long way");
  assert.equal(here.look([a, b], { ...ROUTE, guarantee: "stale" })(), "long way");
  assert.equal(here.reads.pending, 0);
});

test("many paths are read as few are, those into one document in one walk", async () => {
  const here = await Here.open();
  const document = latin1ToBytes(JSON.stringify({ f: Array.from({ length: 20 }, (_, i) => i) }));
  here.of(a).machine.view.set(a, "json", document, 0, document.length, 0);
  here.write(b, "2");
  const fields = Array.from({ length: 21 }, (_, i) => meaningsOf(`${a}.f.${i}`));
  const paths = [...fields, oneMeaning(b, []), oneMeaning(c, []), meaningsOf(`${a}.g`)];
  const expected = [...Array.from({ length: 20 }, (_, i) => `${i}`), undefined, "2", undefined, undefined];
  const outcome = here.lookAt(paths);
  here.reads.flush();
  here.releaseAll();
  assert.deepEqual(outcome(), expected);
  assert.deepEqual(here.lookAt(paths, { ...ROUTE, guarantee: "stale" })(), expected);
  const spoiled = here.lookAt(paths);
  here.reads.flush();
  here.write(b, "3");
  here.releaseAll();
  assert.equal(spoiled(), "long way");
});

test("a stale read is answered at once from what is here", async () => {
  const here = await Here.open();
  here.write(a, "1");
  here.of(b).commit(b, "2");
  const outcome = here.look([a, b], { ...ROUTE, guarantee: "stale" });
  assert.deepEqual(outcome(), ["1", undefined]);
  assert.equal(here.woken, 0);
});
