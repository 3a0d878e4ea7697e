/** Changes of the cluster map, as the metadata group applies them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MinikeyError } from "../../../src/core/errors.js";
import { type NodeId, nodeId, replicaOf } from "../../../src/core/ids.js";
import { type ClusterMap, foundingMap, type MapChange, readMap } from "../../../src/node/cluster-map.js";
import type { PartitionMachine } from "../../../src/node/partition-machine.js";
import { apply, newMachine } from "./partition-fixture.js";

const N1 = nodeId("n1");
const N2 = nodeId("n2");
const N3 = nodeId("n3");

const FOUNDING = foundingMap({
  members: [N3, N1, N2].map((id) => ({ id, peerAddress: `${id}:1` })),
  replicas: 3,
  partitions: 4,
  valueBytesMax: 100,
});

class Metadata {
  readonly #machine: PartitionMachine;
  #sequence = 0;

  private constructor(machine: PartitionMachine) {
    this.#machine = machine;
  }

  static async founded(): Promise<Metadata> {
    const metadata = new Metadata(await newMachine());
    metadata.change({ do: "found", map: FOUNDING });
    return metadata;
  }

  static async empty(): Promise<Metadata> {
    return new Metadata(await newMachine());
  }

  change(change: MapChange): unknown {
    this.#sequence += 1;
    const commands = [["MAP.CHANGE", JSON.stringify(change)]];
    return apply(this.#machine, { session: 1, sequence: this.#sequence, commands }).replies[0];
  }

  replace(id: NodeId, disk: string, incarnation: number): unknown {
    return this.change({ do: "replace", id, disk, incarnation });
  }

  get map(): ClusterMap {
    const map = readMap(this.#machine.view);
    assert(map !== undefined);
    return map;
  }
}

const keyspace = (name: string, more: object = {}): MapChange => ({
  do: "create-keyspace",
  name,
  consistency: "strong",
  storage: "disk",
  replicas: 2,
  partitions: 3,
  ...more,
});

function codeOf(reply: unknown): unknown {
  return reply instanceof MinikeyError ? reply.code : reply;
}

test("founders are numbered by their names, however they are listed", () => {
  assert.deepEqual(
    FOUNDING.members.map(({ id, number, incarnation }) => [id, number, incarnation]),
    [
      [N1, 1, 1],
      [N2, 2, 1],
      [N3, 3, 1],
    ],
  );
});

test("a map is founded once", async () => {
  const metadata = await Metadata.empty();
  assert.equal(codeOf(metadata.change(keyspace("early"))), "NOT_READY");
  metadata.change({ do: "found", map: FOUNDING });
  metadata.change(keyspace("kept"));
  metadata.change({ do: "found", map: FOUNDING });
  assert.equal(metadata.map.keyspaces.length, 2);
});

test("every change raises the epoch by one, and what says nothing new does not", async () => {
  const metadata = await Metadata.founded();
  const announce: MapChange = {
    do: "announce",
    id: N1,
    incarnation: 1,
    peerAddress: "n1:1",
    respAddress: "n1:2",
    httpAddress: "n1:3",
  };
  assert.equal(metadata.change(announce), 2);
  assert.equal(metadata.change(announce), 2);
  assert.equal(metadata.map.members[0].respAddress, "n1:2");
  assert.equal(metadata.change({ ...announce, incarnation: 2, respAddress: "other" }), 2, "of another disk");
});

test("another disk is another incarnation; asking twice gives one", async () => {
  const metadata = await Metadata.founded();
  assert.deepEqual(metadata.replace(N2, "b", 1), [2, 2]);
  assert.deepEqual(metadata.replace(N2, "b", 1), [2, 2]);
  assert.deepEqual(metadata.replace(N2, "b", 2), [2, 2]);
  assert.deepEqual(metadata.replace(N2, "c", 2), [2, 3]);
  assert.equal(metadata.replace(nodeId("stranger"), "d", 1), null);
  assert.equal(metadata.map.epoch, 3);
});

test("what was asked for a disk that was lost since changes nothing, and gives nothing", async () => {
  const metadata = await Metadata.founded();
  metadata.replace(N2, "b", 1);
  metadata.replace(N2, "c", 2);
  // Late, by another way: the node that runs with the third disk must not be replaced …
  for (const incarnation of [1, 2, 3]) {
    // … nor may one that comes with the second be told that it is what the third is.
    assert.equal(metadata.replace(N2, "b", incarnation), null);
  }
  const [, member] = metadata.map.members;
  assert.deepEqual([member.incarnation, member.disk], [3, "c"]);
});

test("of two disks that ask at once, one gets the incarnation, and the other nothing", async () => {
  const metadata = await Metadata.founded();
  assert.deepEqual(metadata.replace(N2, "b", 1), [2, 2]);
  assert.equal(metadata.replace(N2, "c", 1), null);
  assert.deepEqual(metadata.map.members[1].disk, "b");
});

test("a keyspace starts with the members of its time", async () => {
  const metadata = await Metadata.founded();
  metadata.replace(N2, "b", 1);
  metadata.change(keyspace("new"));
  const made = metadata.map.keyspaces[1];
  assert.equal(made.founders[N2], replicaOf(2, 2));
  assert.equal(made.founders[N1], replicaOf(1, 1));
  assert.equal(made.placement.length, 3);
  for (const nodes of made.placement) assert.equal(new Set(nodes).size, 2);
});

test("a keyspace's number is never given again", async () => {
  const metadata = await Metadata.founded();
  metadata.change(keyspace("first"));
  metadata.change({ do: "drop-keyspace", name: "first" });
  metadata.change(keyspace("first"));
  assert.deepEqual(
    metadata.map.keyspaces.map(({ id, name }) => [id, name]),
    [
      [0, "default"],
      [2, "first"],
    ],
  );
  assert.equal(metadata.map.nextKeyspace, 3);
});

test("what cannot be done leaves the map as it is", async () => {
  const metadata = await Metadata.founded();
  metadata.change(keyspace("taken"));
  const before = metadata.map;
  const refused: [MapChange, string][] = [
    [keyspace("taken"), "KEYSPACE_EXISTS"],
    [keyspace("default"), "KEYSPACE_EXISTS"],
    [keyspace(""), "BAD_REQUEST"],
    [keyspace("-x"), "BAD_REQUEST"],
    [keyspace("x".repeat(65)), "BAD_REQUEST"],
    [keyspace("e", { consistency: "causal" as "strong" }), "BAD_REQUEST"],
    [keyspace("r", { replicas: 0 }), "BAD_REQUEST"],
    [keyspace("r", { replicas: 16 }), "BAD_REQUEST"],
    [keyspace("r", { replicas: 1.5 }), "BAD_REQUEST"],
    [keyspace("p", { partitions: 0 }), "BAD_REQUEST"],
    [keyspace("p", { partitions: 4_097 }), "BAD_REQUEST"],
    [{ do: "drop-keyspace", name: "default" }, "UNSUPPORTED"],
    [{ do: "drop-keyspace", name: "missing" }, "KEYSPACE_NOT_FOUND"],
    [{ do: "of a later version" } as unknown as MapChange, "BAD_REQUEST"],
  ];
  for (const [change, code] of refused)
    assert.equal(codeOf(metadata.change(change)), code, JSON.stringify(change));
  assert.deepEqual(metadata.map, before);
});
