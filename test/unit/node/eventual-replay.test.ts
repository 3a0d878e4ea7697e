/**
 * A replica of an eventual partition after a restart has what was durable: whatever it wrote and took, wherever a
 * checkpoint was under way, and wherever it died. And what it keeps beside its records agrees with them all the time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { eventualStateProblems } from "../../../sim/checks/eventual-state.js";
import { DurableState, SimEngine, type SimStore } from "../../../sim/disk/durable.js";
import { SimProcess, World } from "../../../sim/world/world.js";
import { HybridClock } from "../../../src/core/hybrid-clock.js";
import { replicaId } from "../../../src/core/ids.js";
import { EventualState } from "../../../src/node/eventual/state.js";
import { EventualView } from "../../../src/node/eventual/view.js";
import { GROUP, LoneEventual, recordsOf } from "./eventual-fixture.js";

const SELF = replicaId(65_537);
const PEERS = [replicaId(2 * 65_536 + 1), replicaId(3 * 65_536 + 1)];

const key = fc.constantFrom("a", "b", "c", "d", "e");
const value = fc.constantFrom("1", "7", "text", "");
const small = fc.integer({ min: 1, max: 120 }).map(String);

const words: fc.Arbitrary<readonly string[]> = fc.oneof(
  fc.tuple(fc.constant("SET"), key, value),
  fc.tuple(fc.constant("SET"), key, value, fc.constant("PX"), small),
  fc.tuple(fc.constant("DEL"), key),
  fc.tuple(fc.constant("INCR"), key),
  fc.tuple(fc.constant("DECRBY"), key, fc.constant("3")),
  fc.tuple(fc.constant("PEXPIRE"), key, small),
  fc.tuple(fc.constant("PERSIST"), key),
  fc.tuple(fc.constant("APPEND"), key, value),
  fc.tuple(fc.constant("FLUSHPART")),
);

type Action =
  | { readonly do: "write"; readonly by: number; readonly words: readonly string[] }
  | { readonly do: "take"; readonly from: number; readonly last: number }
  | { readonly do: "checkpoint" | "crash" | "forget" | "sweep" | "drop" }
  | { readonly do: "pass"; readonly ms: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("write" as const), by: fc.nat(2), words }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("take" as const), from: fc.nat(1), last: fc.nat(3) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(0.3, 1, 5, 60) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("checkpoint" as const, "crash", "forget") }) },
);

/** What a replica does beside its log, too. */
const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: action },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("sweep" as const, "drop") }) },
);

/** What was durable, applied one entry after the other by a replica that never died, nor let go of anything. */
async function replayed(lone: LoneEventual): Promise<{ state: EventualState; store: SimStore }> {
  const engine = new SimEngine("disk", new DurableState(), new SimProcess(lone.world, 0));
  const store = await engine.openGroup(GROUP);
  const state = new EventualState(store, SELF, true, 1_000);
  for (const entry of lone.history) state.apply(entry);
  return { state, store };
}

/** What clients see: of each key its value and when it expires. */
function shown(state: EventualState, nowMs: number): unknown[] {
  const view = new EventualView(state, new HybridClock(), 1_000);
  view.nowMs = nowMs;
  return [...view.keys({})].map((each) => {
    const entry = view.get(each);
    return [each, entry?.bytes.latin1Slice(entry.start, entry.end), entry?.type, entry?.expiresAtMs];
  });
}

class Life {
  readonly world = new World(1);
  readonly lone = new LoneEventual(this.world, SELF, { hintsMax: 6 });
  readonly peers = PEERS.map((id) => new LoneEventual(this.world, id));
  readonly #compare: (lone: LoneEventual) => Promise<void>;
  /** Some never end, when the process dies meanwhile. */
  readonly #checkpoints: Promise<void>[] = [];
  readonly #answered: { answer: { number: number; reply: unknown } | undefined }[] = [];

  /** `compare`: what is to be as it would be had the replica never died. */
  constructor(compare: (lone: LoneEventual) => Promise<void>) {
    this.#compare = compare;
  }

  async run(actions: readonly Action[]): Promise<void> {
    for (const each of [this.lone, ...this.peers]) await each.start();
    for (const each of actions) {
      await this.#act(each);
      this.#check();
    }
    await this.#restart();
    await this.lone.pass();
  }

  async #act(step: Action): Promise<void> {
    const { lone, peers } = this;
    switch (step.do) {
      case "write": {
        const [by, ...rest] = [step.by, ...step.words];
        if (by === 0) this.#answered.push(lone.write(...rest));
        else await peers[by - 1].run(...rest);
        break;
      }
      case "take": {
        // One of the latest: late, early and again.
        const { written } = peers[step.from];
        const sent = written.at(-1 - step.last);
        if (sent !== undefined) lone.replica.take(sent.batch, () => undefined);
        break;
      }
      case "pass":
        await lone.pass(step.ms);
        break;
      case "checkpoint":
        this.#checkpoints.push(lone.checkpoint());
        break;
      case "forget":
        lone.replica.state.hints.forget(lone.replica.state.vector.get(SELF) - 1);
        break;
      case "sweep":
        lone.replicas.sweep();
        break;
      case "drop": {
        const { state } = lone.replica;
        const mark = state.markTombstones();
        while (state.dropTombstones(mark, state.vector, 3));
        break;
      }
      case "crash":
        await this.#restart();
        break;
    }
  }

  #check(): void {
    assert.deepEqual(eventualStateProblems(this.lone.replica.state, this.lone.store), []);
    assert.ok(this.lone.replica.state.hints.count <= 6);
  }

  async #restart(): Promise<void> {
    const { lone } = this;
    lone.crash();
    await lone.start();
    this.#check();
    await this.#compare(lone);
    const written = lone.replica.state.vector.get(SELF);
    for (const { answer } of this.#answered) assert.ok((answer?.number ?? 0) <= written);
  }
}

async function sameRecords(lone: LoneEventual): Promise<void> {
  const { state } = lone.replica;
  const wanted = await replayed(lone);
  assert.deepEqual(recordsOf(lone.store), recordsOf(wanted.store));
  assert.deepEqual(state.vector, wanted.state.vector);
  assert.equal(state.live, wanted.state.live);
  assert.ok(state.fingerprints.sameRoot(wanted.state.fingerprints));
}

async function sameValues(lone: LoneEventual): Promise<void> {
  const wanted = await replayed(lone);
  assert.deepEqual(shown(lone.replica.state, lone.nowMs), shown(wanted.state, lone.nowMs));
  assert.deepEqual(lone.replica.state.vector, wanted.state.vector);
}

test("a restart comes back to what was durable, from any checkpoint, and every answered write is in it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      await new Life(sameRecords).run(actions);
    }),
    { numRuns: 300 },
  );
});

test("what is let go of beside the log changes nothing that clients see, before and after restarts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyAction, { maxLength: 60 }), async (actions) => {
      await new Life(sameValues).run(actions);
    }),
    { numRuns: 300 },
  );
});
