/**
 * CLUSTER: the partitions of the connection's keyspace as Redis Cluster describes its nodes, so that clients that
 * know it send a command straight to the partition's leader. Any node takes any command, so there are no MOVED
 * errors, and every node is a master: of the slots whose partitions it leads, which may be none. In an eventual
 * keyspace, where nobody leads, it is of those that it is the first of their replicas to be up.
 * Source: Redis 7.0, `cluster.c` (`clusterGenNodeDescription`, `clusterReplyMultiBulkSlots`).
 */

import { slotOfArg } from "../../../commands/plan.js";
import { MapReply, type Reply, VerbatimReply } from "../../../commands/reply.js";
import { integerArg } from "../../../commands/spec.js";
import type { Args } from "../../../commands/types.js";
import { type Bytes, utf8ToBytes } from "../../../core/bytes.js";
import { MinikeyError } from "../../../core/errors.js";
import type { KeyspaceId, NodeId } from "../../../core/ids.js";
import { sha1 } from "../../../core/sha1.js";
import type { ClusterStatus, MemberInfo } from "../../../node/database.js";
import { SLOT_COUNT } from "../../../sharding/slots.js";
import type { LocalHandler } from "./services.js";
import { container } from "./subcommands.js";

/** A run of slots that one node leads and the same others replicate. */
interface SlotRange {
  readonly first: number;
  last: number;
  readonly leader: NodeId;
  readonly followers: readonly NodeId[];
}

function slotRanges(status: ClusterStatus, keyspace: KeyspaceId): SlotRange[] {
  const isEventual = status.keyspaces.find(({ id }) => id === keyspace)?.consistency === "eventual";
  const gone = new Set(status.members.filter(({ state }) => state === "inactive").map(({ id }) => id));
  const pieces: SlotRange[] = [];
  for (const { keyspace: owner, slots, leader: elected, replicas } of status.partitions) {
    if (owner !== keyspace) continue;
    const nodes = replicas.map(({ node }) => node);
    const leader = isEventual ? nodes.find((node) => !gone.has(node)) : elected;
    if (leader === undefined) continue;
    const followers = nodes.filter((node) => node !== leader);
    for (const [first, last] of slots) pieces.push({ first, last, leader, followers });
  }
  pieces.sort((a, b) => a.first - b.first);
  const ranges: SlotRange[] = [];
  for (const piece of pieces) {
    const before = ranges.at(-1);
    if (before !== undefined && before.last + 1 === piece.first && hasSameNodes(before, piece)) {
      before.last = piece.last;
    } else ranges.push({ ...piece });
  }
  return ranges;
}

function hasSameNodes(a: SlotRange, b: SlotRange): boolean {
  return a.leader === b.leader && a.followers.join() === b.followers.join();
}

/** 40 hexadecimal digits, as Redis names nodes: always the same for the same name. */
function clusterNodeId(node: NodeId): string {
  const hash: Bytes = sha1(utf8ToBytes(node));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function hostAndPort(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(":");
  return colon === -1 ? [address, 0] : [address.slice(0, colon), Number(address.slice(colon + 1))];
}

// --- SLOTS, SHARDS ---

/** Members that clients can reach, by name. */
function reachable(status: ClusterStatus): Map<NodeId, MemberInfo> {
  return new Map(
    status.members.filter((member) => member.respAddress !== "").map((member) => [member.id, member]),
  );
}

function slots(status: ClusterStatus, keyspace: KeyspaceId): Reply {
  const members = reachable(status);
  const ranges = slotRanges(status, keyspace).filter((range) => members.has(range.leader));
  return ranges.map((range) => {
    const reply: Reply[] = [range.first, range.last];
    for (const node of [range.leader, ...range.followers]) {
      const member = members.get(node);
      if (member === undefined) continue;
      const [host, port] = hostAndPort(member.respAddress);
      // The last is what Redis has for further facts: here what people call the node.
      reply.push([host, port, clusterNodeId(node), new MapReply([["name", node]])]);
    }
    return reply;
  });
}

function shards(status: ClusterStatus, keyspace: KeyspaceId): Reply {
  const ranges = slotRanges(status, keyspace);
  return [...reachable(status).values()].map((member) => {
    const [ip, port] = hostAndPort(member.respAddress);
    const own = ranges.filter((range) => range.leader === member.id);
    return new MapReply([
      ["slots", own.flatMap((range) => [range.first, range.last])],
      [
        "nodes",
        [
          new MapReply([
            ["id", clusterNodeId(member.id)],
            ["port", port],
            ["ip", ip],
            ["endpoint", ip],
            ["role", "master"],
            ["replication-offset", 0],
            ["health", member.state === "active" ? "online" : "failed"],
          ]),
        ],
      ],
    ]);
  });
}

// --- NODES, INFO ---

const FLAG_OF_STATE = { active: "", suspect: ",fail?", inactive: ",fail" } as const;

function nodes(status: ClusterStatus, keyspace: KeyspaceId): string {
  const ranges = slotRanges(status, keyspace);
  return status.members.map((member) => `${nodeLine(status, member, ranges)}\n`).join("");
}

/** `id ip:port@peerPort flags master ping pong epoch link slots` */
function nodeLine(status: ClusterStatus, member: MemberInfo, ranges: readonly SlotRange[]): string {
  const [, peerPort] = hostAndPort(member.peerAddress);
  const own = ranges
    .filter((range) => range.leader === member.id)
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  return [
    clusterNodeId(member.id),
    `${member.respAddress === "" ? ":0" : member.respAddress}@${peerPort}`,
    `${member.self ? "myself," : ""}master${FLAG_OF_STATE[member.state]}`,
    "-",
    "0",
    "0",
    `${status.epoch}`,
    member.state === "inactive" ? "disconnected" : "connected",
    ...own,
  ].join(" ");
}

function info(status: ClusterStatus, keyspace: KeyspaceId): string {
  const ranges = slotRanges(status, keyspace);
  const assigned = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const leaders = new Set(ranges.map((range) => range.leader));
  const lines: [string, string | number][] = [
    ["cluster_state", assigned === SLOT_COUNT ? "ok" : "fail"],
    ["cluster_slots_assigned", SLOT_COUNT],
    ["cluster_slots_ok", assigned],
    ["cluster_slots_pfail", 0],
    ["cluster_slots_fail", SLOT_COUNT - assigned],
    ["cluster_known_nodes", status.members.length],
    ["cluster_size", leaders.size],
    ["cluster_current_epoch", status.epoch],
    ["cluster_my_epoch", status.epoch],
  ];
  return lines.map(([name, value]) => `${name}:${value}\r\n`).join("");
}

// --- The command ---

/** A subcommand about the cluster as it is now, and the keyspace of the connection. */
function about(reply: (status: ClusterStatus, keyspace: KeyspaceId) => Reply): LocalHandler {
  return ({ database }, client) => reply(database.status(), client.session.context.keyspace);
}

const countKeysInSlot: LocalHandler = (_services, _client, args) => {
  slotArg(args);
  throw new MinikeyError("UNSUPPORTED", "keys are not indexed by slot here: use SCAN");
};

function slotArg(args: Args): number {
  const slot = Number(integerArg(args, 2));
  if (slot < 0 || slot >= SLOT_COUNT) throw new MinikeyError("OUT_OF_RANGE", "Invalid slot");
  return slot;
}

export const clusterCommand = container("CLUSTER", {
  INFO: {
    arity: 2,
    help: "-- Describe the cluster.",
    run: about((status, keyspace) => new VerbatimReply(info(status, keyspace))),
  },
  MYID: {
    arity: 2,
    help: "-- Return this node's id.",
    run: about((status) => clusterNodeId(status.nodeId)),
  },
  NODES: {
    arity: 2,
    help: "-- Describe the nodes, one a line.",
    run: about((status, keyspace) => new VerbatimReply(nodes(status, keyspace))),
  },
  SLOTS: { arity: 2, help: "-- Return who leads and who replicates which slots.", run: about(slots) },
  SHARDS: { arity: 2, help: "-- Return which node leads which slots.", run: about(shards) },
  KEYSLOT: {
    arity: 3,
    help: "<key> -- Return the slot of a key.",
    run: (_services, _client, args) => slotOfArg(args, 2),
  },
  COUNTKEYSINSLOT: { arity: 3, help: "<slot> -- Not supported.", run: countKeysInSlot },
  GETKEYSINSLOT: { arity: 4, help: "<slot> <count> -- Not supported.", run: countKeysInSlot },
});
