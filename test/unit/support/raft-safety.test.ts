/** The observer of Raft finds each broken property in histories made for it, and nothing in a right one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RaftSafety } from "../../../sim/checks/raft-safety.js";
import { encodeConfiguration } from "../../../src/codec/raft-entry.js";
import type { Configuration, Entry, HardState, Message } from "../../../src/codec/raft-types.js";
import { utf8ToBytes } from "../../../src/core/bytes.js";
import { groupId, logIndex, type NodeId, nodeId, replicaId, term } from "../../../src/core/ids.js";
import type { LogAppend } from "../../../src/storage/log/types.js";

const GROUP = groupId(7);
const [A, B, C] = ["a", "b", "c"].map(nodeId);
const NUMBERS = new Map<NodeId, number>([
  [A, 1],
  [B, 2],
  [C, 3],
]);
const idOf = (node: NodeId) => replicaId(NUMBERS.get(node) ?? 0);
const CONFIGURATION: Configuration = { voters: [A, B, C].map(idOf), votersOutgoing: [], learners: [] };

const entry = (index: number, ofTerm: number, text = ""): Entry => ({
  index: logIndex(index),
  term: term(ofTerm),
  kind: "command",
  data: utf8ToBytes(text),
});

const members = (index: number, ofTerm: number): Entry => ({
  index: logIndex(index),
  term: term(ofTerm),
  kind: "config",
  data: encodeConfiguration(CONFIGURATION),
});

const hardState = (ofTerm: number, vote: number, commit = 0): HardState => ({
  term: term(ofTerm),
  vote: replicaId(vote),
  commit: logIndex(commit),
});

class Scene {
  readonly found: string[] = [];
  readonly safety: RaftSafety;

  /** @param first the members that the group begins with, when no log names them */
  constructor(first?: Configuration) {
    const report = (property: string) => this.found.push(property);
    this.safety = new RaftSafety(report, () => first);
  }

  append(node: NodeId, entries: readonly Entry[], state?: HardState): LogAppend {
    const append = { group: GROUP, hardState: state, entries, snapshot: undefined };
    this.safety.onAppend(node, append);
    return append;
  }

  /** Appended and on disk. */
  store(node: NodeId, entries: readonly Entry[], state?: HardState): void {
    this.safety.onDurable(node, this.append(node, entries, state));
  }

  says(from: NodeId, to: NodeId, message: Record<string, unknown>): void {
    this.safety.onMessage(from, GROUP, { from: idOf(from), to: idOf(to), ...message } as unknown as Message);
  }

  leads(from: NodeId, ofTerm: number, commit = 0): void {
    this.says(from, from === A ? B : A, { type: "heartbeat", term: term(ofTerm), commit, readRound: 0 });
  }

  acknowledges(from: NodeId, index: number, ofTerm = 1): void {
    this.says(from, A, { type: "append-response", term: term(ofTerm), index, reject: false });
  }

  /** All three hold entries 1 (the members) and 2 of term 1, which A leads, and 2 is committed. */
  agreed(): this {
    for (const node of [A, B, C]) this.store(node, [members(1, 1), entry(2, 1, "x")], hardState(1, 1));
    this.leads(A, 1);
    this.acknowledges(B, 2);
    this.acknowledges(C, 2);
    this.leads(A, 1, 2);
    return this;
  }
}

test("a right history breaks nothing", () => {
  const scene = new Scene().agreed();
  scene.store(B, [], hardState(2, 2, 2));
  scene.store(C, [], hardState(2, 2, 2));
  scene.says(C, B, { type: "vote-response", term: term(2), pre: false, reject: false });
  scene.leads(B, 2, 2);
  scene.store(B, [entry(3, 2, "y")]);
  assert.deepEqual(scene.found, []);
});

test("what is committed must be on a majority's disks, also in a group whose first members stand in no log", () => {
  for (const holders of [[A], [A, B]]) {
    const scene = new Scene(CONFIGURATION);
    for (const node of [A, B, C])
      scene.says(node, A, { type: "heartbeat-response", term: term(1), readRound: 0 });
    scene.append(A, [entry(1, 1, "x")], hardState(1, 1));
    for (const node of holders) scene.store(node, [entry(1, 1, "x")], hardState(1, 1));
    scene.leads(A, 1, 1);
    assert.deepEqual(scene.found, holders.length === 1 ? ["durable before told"] : [], holders.join(" "));
  }
});

test("a group of one has its majority on its own disk", () => {
  const scene = new Scene({ voters: [idOf(A)], votersOutgoing: [], learners: [] });
  scene.append(A, [entry(1, 1, "x")], hardState(1, 1, 1));
  assert.deepEqual(scene.found, ["durable before told"]);
});

const BROKEN: readonly (readonly [property: string, name: string, play: (scene: Scene) => void])[] = [
  ["election safety", "two lead one term", (scene) => scene.leads(B, 1)],
  [
    "one vote a term",
    "a replica votes for another in the same term",
    (scene) => scene.store(B, [], hardState(1, 3)),
  ],
  ["one vote a term", "a term goes back", (scene) => scene.store(B, [], hardState(0, 0))],
  [
    "one vote a term",
    "two get the vote of one",
    (scene) => {
      scene.store(C, [], hardState(2, 1));
      scene.says(C, A, { type: "vote-response", term: term(2), pre: false, reject: false });
      scene.says(C, B, { type: "vote-response", term: term(2), pre: false, reject: false });
    },
  ],
  ["leader append-only", "a leader overwrites its log", (scene) => scene.store(A, [entry(2, 1, "x")])],
  ["log matching", "the same entry says two things", (scene) => scene.store(B, [entry(2, 1, "z")])],
  [
    "log matching",
    "the same entry follows two others",
    (scene) => {
      scene.store(B, [entry(3, 2), entry(4, 4)]);
      scene.store(C, [entry(3, 3), entry(4, 4)]);
    },
  ],
  ["log matching", "a log has a gap", (scene) => scene.store(B, [entry(9, 1)])],
  [
    "leader completeness",
    "a leader lacks what was committed",
    (scene) => {
      scene.safety.onDiskLost(C);
      scene.store(C, [members(1, 1)], hardState(2, 3));
      scene.leads(C, 2);
    },
  ],
  [
    "state machine safety",
    "two hold different entries for committed",
    (scene) => {
      scene.safety.onDiskLost(C);
      scene.store(C, [members(1, 1), entry(2, 2)], hardState(2, 3, 2));
    },
  ],
  [
    "state machine safety",
    "a committed entry is given up",
    (scene) => {
      scene.store(B, [], hardState(2, 2, 2));
      scene.store(B, [entry(2, 2)]);
    },
  ],
  ["durable before told", "an acknowledgement comes early", (scene) => scene.acknowledges(B, 3)],
  [
    "durable before told",
    "a vote comes early",
    (scene) => {
      scene.append(C, [], hardState(2, 2));
      scene.says(C, B, { type: "vote-response", term: term(2), pre: false, reject: false });
    },
  ],
  [
    "durable before told",
    "a minority's disks are taken for enough",
    (scene) => {
      scene.store(A, [entry(3, 1)]);
      scene.append(B, [entry(3, 1)]);
      scene.leads(A, 1, 3);
    },
  ],
  [
    "durable log",
    "a durable entry is gone after a restart",
    (scene) =>
      scene.safety.onRecovered(
        B,
        new Map([
          [
            GROUP,
            {
              hardState: hardState(1, 1),
              snapshot: { index: logIndex(0), term: term(0), configuration: CONFIGURATION },
              entries: [members(1, 1)],
            },
          ],
        ]),
      ),
  ],
  [
    "durable log",
    "a vote is forgotten over a restart",
    (scene) =>
      scene.safety.onRecovered(
        B,
        new Map([
          [
            GROUP,
            {
              hardState: hardState(1, 0),
              snapshot: { index: logIndex(0), term: term(0), configuration: CONFIGURATION },
              entries: [members(1, 1), entry(2, 1, "x")],
            },
          ],
        ]),
      ),
  ],
  ["durable log", "a group is gone after a restart", (scene) => scene.safety.onRecovered(B, new Map())],
];

for (const [property, name, play] of BROKEN) {
  test(`${property} is broken when ${name}`, () => {
    const scene = new Scene().agreed();
    assert.equal(scene.found.length, 0);
    play(scene);
    assert(scene.found.includes(property), `found: ${scene.found.join(", ") || "nothing"}`);
  });
}
