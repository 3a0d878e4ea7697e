/** How founders become a cluster: the table of decisions, and that no life of founders forgets a promise. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SeededRandom } from "../../../sim/world/random.js";
import { type NodeId, nodeId } from "../../../src/core/ids.js";
import { greetingOf } from "../../../src/node/formation.js";
import { type FormingStep, isFoundedBy, newClusterId, nextFormingStep } from "../../../src/node/forming.js";
import type { Identity } from "../../../src/node/identity.js";
import type { Greeting } from "../../../src/ports/transport.js";

const N1 = nodeId("n1");
const N2 = nodeId("n2");
const N3 = nodeId("n3");
const FOUNDERS = [N1, N2, N3];

function identityOf(
  id: NodeId,
  stage: Identity["stage"],
  clusterId = stage === "fresh" ? "" : "C",
): Identity {
  const isFresh = stage === "fresh";
  const memberNumber = isFresh ? 0 : FOUNDERS.indexOf(id) + 1;
  return { nodeId: id, clusterId, memberNumber, incarnation: isFresh ? 0 : 1, disk: "d", stage };
}

function step(self: Identity, heard: readonly Identity[], founders = FOUNDERS): FormingStep {
  const greetings = new Map<NodeId, Greeting>(heard.map((peer) => [peer.nodeId, greetingOf(peer, "")]));
  return nextFormingStep(self, founders, greetings, "NEW");
}

const fresh = (id: NodeId) => identityOf(id, "fresh");
const forming = (id: NodeId, clusterId = "C") => identityOf(id, "forming", clusterId);
const formed = (id: NodeId, clusterId = "C") => identityOf(id, "formed", clusterId);

test("the first founder names the cluster once it hears all others fresh", () => {
  assert.deepEqual(step(fresh(N1), [fresh(N2), fresh(N3)]), {
    step: "become",
    stage: "forming",
    clusterId: "NEW",
  });
  assert.deepEqual(step(fresh(N1), [fresh(N2)]), { step: "wait", missing: [N3] });
  assert.deepEqual(step(fresh(N2), [fresh(N1), fresh(N3)]), { step: "wait", missing: [] });
});

test("the others take the name from the first founder", () => {
  const become: FormingStep = { step: "become", stage: "forming", clusterId: "C" };
  assert.deepEqual(step(fresh(N2), [forming(N1)]), become);
  assert.deepEqual(step(fresh(N2), [forming(N1), fresh(N3)]), become);
});

test("a founder does not take the name from one that may have missed that the cluster is formed", () => {
  // The cluster may have been formed and used by the first two; then the second lost its disk.
  assert.deepEqual(step(fresh(N2), [forming(N3)]), { step: "wait", missing: [N1] });
  assert.deepEqual(step(fresh(N2), [forming(N3), formed(N1)]), { step: "rejoin", via: [N1], clusterId: "C" });
});

test("the first founder that lost its disk while the cluster was forming goes on with the same name", () => {
  const become: FormingStep = { step: "become", stage: "forming", clusterId: "C" };
  assert.deepEqual(step(fresh(N1), [forming(N2), fresh(N3)]), become);
  assert.deepEqual(step(fresh(N1), [forming(N2), forming(N3)]), become);
  assert.deepEqual(step(fresh(N1), [forming(N2)]), { step: "wait", missing: [N3] });
});

test("the first founder calls the cluster formed once all others have its name on disk", () => {
  const become: FormingStep = { step: "become", stage: "formed", clusterId: "C" };
  assert.deepEqual(step(forming(N1), [forming(N2), forming(N3)]), become);
  assert.deepEqual(step(forming(N1), [forming(N2), fresh(N3)]), { step: "wait", missing: [] });
  assert.deepEqual(step(forming(N1), [forming(N2)]), { step: "wait", missing: [N3] });
  assert.deepEqual(step(forming(N2), [forming(N1), forming(N3)]), { step: "wait", missing: [] });
});

test("the others call it formed when one does, of the same name only", () => {
  assert.deepEqual(step(forming(N2), [formed(N3)]), { step: "become", stage: "formed", clusterId: "C" });
  assert.deepEqual(step(forming(N2), [formed(N3, "D"), forming(N1)]), { step: "wait", missing: [] });
  assert.deepEqual(step(forming(N2), [formed(N3, "D"), formed(N1)]), {
    step: "become",
    stage: "formed",
    clusterId: "C",
  });
});

test("a fresh founder of a formed cluster has lost its disk and joins again", () => {
  for (const id of FOUNDERS) {
    const via = id === N1 ? N2 : N1;
    assert.deepEqual(step(fresh(id), [formed(via)]), { step: "rejoin", via: [via], clusterId: "C" });
  }
});

test("a member has nothing to do, whatever it hears", () => {
  assert.deepEqual(step(formed(N1), [fresh(N2), formed(N3, "D")]), { step: "done" });
});

test("a node alone forms its cluster alone", () => {
  assert.deepEqual(step(fresh(N1), [], [N1]), { step: "become", stage: "forming", clusterId: "NEW" });
  assert.deepEqual(step(forming(N1), [], [N1]), { step: "become", stage: "formed", clusterId: "C" });
});

test("a node that was rebuilt goes back to its cluster and founds none, whoever it is and hears", () => {
  const peers = fc
    .subarray([...FOUNDERS])
    .chain((ids) =>
      fc.tuple(
        ...ids.map((id) =>
          fc.constantFrom(fresh(id), forming(id), formed(id), forming(id, "D"), formed(id, "D")),
        ),
      ),
    );
  fc.assert(
    fc.property(fc.constantFrom(...FOUNDERS), peers, fc.constantFrom(1, 3), (id, heard, count) => {
      const founders = count === 1 ? [id] : FOUNDERS;
      const rebuilt = identityOf(id, "fresh", "C");
      const others = heard.filter((peer) => peer.nodeId !== id);
      const next = step(rebuilt, others, founders);
      const home = others.filter((peer) => founders.includes(peer.nodeId) && peer.stage === "formed");
      const isHome = home.some((peer) => peer.clusterId === "C");
      assert.equal(next.step, isHome ? "rejoin" : "wait");
      if (next.step === "rejoin") assert.equal(next.clusterId, "C");
    }),
  );
});

// --- Lives of founders ---

type Action =
  | { readonly do: "hear" | "cut" | "heal"; readonly at: number; readonly of: number }
  | { readonly do: "step" | "restart" | "lose the disk"; readonly at: number };

/** Founders that hear of each other, restart and lose disks, one at a time. */
class Founders {
  readonly #ids: readonly NodeId[];
  readonly #identities: Identity[];
  readonly #heard: Map<NodeId, Greeting>[];
  /** By founder: it was a member together with a majority, so others may rest on what it promised. */
  readonly #hasPromised: boolean[];
  /** The disk that was lost held such promises. */
  readonly #hasForgotten: boolean[];
  readonly #cut = new Set<string>();
  #incarnations = 1;
  #names = 0;

  constructor(count: number) {
    this.#ids = Array.from({ length: count }, (_, i) => nodeId(`n${i + 1}`));
    this.#identities = this.#ids.map((id) => fresh(id));
    this.#heard = this.#ids.map(() => new Map());
    this.#hasPromised = this.#ids.map(() => false);
    this.#hasForgotten = this.#ids.map(() => false);
  }

  get areAllMembers(): boolean {
    return this.#identities.every(({ stage }) => stage === "formed");
  }

  healAll(): void {
    this.#cut.clear();
  }

  carryOut(action: Action): void {
    const at = action.at % this.#ids.length;
    switch (action.do) {
      case "hear": {
        const of = action.of % this.#ids.length;
        if (of === at || this.#cut.has(pairOf(at, of))) return;
        this.#heard[at].set(this.#ids[of], greetingOf(this.#identities[of], ""));
        break;
      }
      case "cut": {
        const of = action.of % this.#ids.length;
        this.#cut.add(pairOf(at, of));
        this.#heard[at].delete(this.#ids[of]);
        this.#heard[of].delete(this.#ids[at]);
        break;
      }
      case "heal":
        this.#cut.delete(pairOf(at, action.of % this.#ids.length));
        break;
      case "restart":
        this.#disconnect(at);
        break;
      case "lose the disk":
        // One at a time: nobody else is without.
        if (this.#identities.some((other, i) => i !== at && (other.incarnation > 1 || this.#hasForgotten[i])))
          return;
        this.#hasForgotten[at] ||= this.#hasPromised[at];
        this.#identities[at] = fresh(this.#ids[at]);
        this.#disconnect(at);
        break;
      case "step":
        this.#step(at);
    }
  }

  /** A connection is lost on both sides. */
  #disconnect(at: number): void {
    this.#heard[at].clear();
    for (const heard of this.#heard) heard.delete(this.#ids[at]);
  }

  #step(at: number): void {
    this.#names += 1;
    const self = this.#identities[at];
    const next = nextFormingStep(self, this.#ids, this.#heard[at], `name ${this.#names}`);
    if (next.step === "rejoin") {
      this.#incarnations += 1;
      const { clusterId } = next;
      this.#identities[at] = {
        ...self,
        clusterId,
        memberNumber: at + 1,
        incarnation: this.#incarnations,
        stage: "formed",
      };
    } else if (next.step === "become") {
      assert(!this.#hasForgotten[at], `${self.nodeId} is ${next.stage} as if it had never promised anything`);
      const { clusterId, stage } = next;
      this.#identities[at] = { ...self, clusterId, memberNumber: at + 1, incarnation: 1, stage };
    }
    this.#check();
  }

  #check(): void {
    const members = this.#identities.filter(({ stage }) => stage === "formed");
    assert(new Set(members.map(({ clusterId }) => clusterId)).size <= 1, "two clusters were formed");
    if (members.length <= this.#ids.length / 2) return;
    this.#identities.forEach(({ stage }, i) => {
      if (stage === "formed") this.#hasPromised[i] = true;
    });
  }
}

const pairOf = (a: number, b: number) => `${Math.min(a, b)}-${Math.max(a, b)}`;

function randomAction(random: SeededRandom): Action {
  const at = random.below(60);
  const of = random.below(60);
  const choice = random.unit();
  if (choice < 0.5) return { do: "hear", at, of };
  if (choice < 0.92) return { do: "step", at };
  if (choice < 0.94) return { do: "cut", at, of };
  if (choice < 0.96) return { do: "heal", at, of };
  return { do: choice < 0.98 ? "restart" : "lose the disk", at };
}

const LIVES = 10_000;
const ACTIONS = 150;

test("in no life of founders does one that lost its disk take part again as what it was", () => {
  for (let seed = 1; seed <= LIVES; seed += 1) {
    const random = new SeededRandom(seed);
    const count = random.pick([2, 3, 3, 5]);
    const founders = new Founders(count);
    const actions: Action[] = [];
    try {
      for (let i = 0; i < ACTIONS; i += 1) {
        actions.push(randomAction(random));
        founders.carryOut(actions[i]);
      }
      // When everyone hears everyone, all become members.
      founders.healAll();
      for (let round = 0; round < 4 * count; round += 1) {
        for (let at = 0; at < count; at += 1) {
          for (let of = 0; of < count; of += 1) founders.carryOut({ do: "hear", at, of });
          founders.carryOut({ do: "step", at });
        }
      }
      assert(founders.areAllMembers, "the cluster never forms");
    } catch (error) {
      console.error(`seed ${seed}, ${count} founders: ${JSON.stringify(actions)}`);
      throw error;
    }
  }
});

test("a cluster's id says who founded it, in whatever order they are listed", () => {
  const id = newClusterId(new SeededRandom(1), FOUNDERS);
  assert.match(id, /^[0-9a-f]{32}$/);
  assert(isFoundedBy(id, [N3, N1, N2]));
  for (const others of [[N1, N2], [N1], [...FOUNDERS, nodeId("n4")]]) assert(!isFoundedBy(id, others));
});

test("a founder that was told other founders does not take part, and says who", () => {
  const name = newClusterId(new SeededRandom(1), FOUNDERS);
  // It would number itself otherwise: both would vote as member 2.
  assert.deepEqual(step(fresh(N3), [forming(N2, name)], [N2, N3]), { step: "disagree", peers: [N2] });
  assert.deepEqual(step(fresh(N2), [forming(N3, name)], [N2, N3]), { step: "disagree", peers: [N3] });
  assert.deepEqual(step(fresh(N3), [forming(N1, name)]), {
    step: "become",
    stage: "forming",
    clusterId: name,
  });
});

test("a node that lost its disk does not choose between two clusters", () => {
  assert.deepEqual(step(fresh(N3), [formed(N1), formed(N2, "D")]), { step: "disagree", peers: [N1, N2] });
});

test("a founder that is forming takes the name that the first, having lost its disk, gives anew", () => {
  assert.deepEqual(step(forming(N3, "C"), [forming(N1, "D"), forming(N2, "D")]), {
    step: "become",
    stage: "forming",
    clusterId: "D",
  });
  assert.deepEqual(step(forming(N3, "C"), [forming(N2, "D")]), { step: "wait", missing: [N1] });
});
