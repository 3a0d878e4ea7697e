/**
 * The cluster map: who belongs to the cluster, which keyspaces there are, and which nodes hold which partition.
 *
 * It is the state of the metadata group: one JSON document under the key `map`, changed only by the commands
 * below, each of which raises the epoch. Every node keeps the map as of what it has applied.
 */
import { OK, type Reply } from "../commands/reply.js";
import type { KeyValueView } from "../commands/types.js";
import { utf8ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { type KeyspaceId, keyspaceId, type NodeId, type ReplicaId, replicaOf } from "../core/ids.js";
import { placeReplicas } from "../sharding/ring.js";
import type { NodeCommandSpec } from "./node-commands.js";

export interface Member {
  readonly id: NodeId;
  /** Counts up from 1 in the order in which members entered; never given twice. */
  readonly number: number;
  /** Counts the disks that the member has had: a lost one is not waited for. */
  readonly incarnation: number;
  /** Names the disk of this incarnation, so that asking twice for a new incarnation gives one. */
  readonly disk: string;
  /** Its disks before that one, the latest first: what is still asked for them comes too late. */
  readonly lostDisks?: readonly string[];
  readonly peerAddress: string;
  readonly respAddress: string;
  readonly httpAddress: string;
}

export interface Keyspace {
  readonly id: KeyspaceId;
  readonly name: string;
  readonly consistency: "strong" | "eventual";
  readonly storage: "disk" | "memory";
  readonly replicas: number;
  readonly partitions: number;
  /** For each partition the nodes that are to hold it. */
  readonly placement: readonly (readonly NodeId[])[];
  /** The members as of its making, with which its groups start. */
  readonly founders: Readonly<Record<NodeId, ReplicaId>>;
}

export interface ClusterMap {
  readonly epoch: number;
  /** The number that the next keyspace gets: none is given twice, since a node that was away may still hold data. */
  readonly nextKeyspace: number;
  /** A rule that every replica must apply alike. */
  readonly valueBytesMax: number;
  readonly members: readonly Member[];
  readonly keyspaces: readonly Keyspace[];
}

const MAP_KEY = "map";
const DEFAULT_KEYSPACE = "default";
const KEYSPACES_MAX = 1024;
const LOST_DISKS_MAX = 8;
/** What a replica's id has room for. */
const INCARNATIONS_MAX = 65_535;
const PARTITIONS_MAX = 4096;
/** As many as `--replicas` takes. */
const REPLICAS_MAX = 15;
const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

export interface Founding {
  readonly members: readonly { readonly id: NodeId; readonly peerAddress: string }[];
  readonly replicas: number;
  readonly partitions: number;
  readonly valueBytesMax: number;
}

/** The map that every founder of a cluster starts with: the same for all, from what all were told. */
export function foundingMap(founding: Founding): ClusterMap {
  const sorted = [...founding.members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const members = sorted.map((member, i) => ({
    id: member.id,
    number: i + 1,
    incarnation: 1,
    disk: "",
    peerAddress: member.peerAddress,
    respAddress: "",
    httpAddress: "",
  }));
  const { replicas, partitions, valueBytesMax } = founding;
  const base = { epoch: 1, nextKeyspace: 1, valueBytesMax, members, keyspaces: [] };
  return {
    ...base,
    keyspaces: [
      makeKeyspace(base, {
        id: keyspaceId(0),
        name: DEFAULT_KEYSPACE,
        consistency: "strong",
        storage: "disk",
        replicas,
        partitions,
      }),
    ],
  };
}

function makeKeyspace(map: ClusterMap, options: Omit<Keyspace, "placement" | "founders">): Keyspace {
  const nodes = map.members.map((member) => member.id);
  return {
    ...options,
    placement: placeReplicas({
      nodes,
      partitions: options.partitions,
      replicas: options.replicas,
      salt: options.id,
    }),
    founders: Object.fromEntries(
      map.members.map((member) => [member.id, replicaOf(member.number, member.incarnation)]),
    ),
  };
}

export function memberReplica(member: Member): ReplicaId {
  return replicaOf(member.number, member.incarnation);
}

/** What a node may ask of the map. */
export type MapChange =
  | { readonly do: "found"; readonly map: ClusterMap }
  | {
      readonly do: "announce";
      readonly id: NodeId;
      readonly incarnation: number;
      readonly peerAddress: string;
      readonly respAddress: string;
      readonly httpAddress: string;
    }
  /**
   * The member comes with another disk: it gets the incarnation after `incarnation`, unless it has another one
   * meanwhile. Replies `[number, incarnation]` when the disk is the member's now, else null. With `epoch` only while
   * the map is the one of that epoch: whoever asks has looked at what it says.
   */
  | {
      readonly do: "replace";
      readonly id: NodeId;
      readonly disk: string;
      readonly incarnation: number;
      readonly epoch?: number;
    }
  | {
      readonly do: "create-keyspace";
      readonly name: string;
      readonly consistency: "strong" | "eventual";
      readonly storage: "disk" | "memory";
      readonly replicas: number;
      readonly partitions: number;
    }
  | { readonly do: "drop-keyspace"; readonly name: string };

/** `MAP.CHANGE json`: replies with the new epoch; errors leave the map as it is. */
export const MAP_CHANGE: NodeCommandSpec = {
  name: "MAP.CHANGE",
  opcode: 210,
  arity: 2,
  keys: { first: 0, last: 0, step: 0 },
  ignoresLocks: true,
  apply(machine, args): Reply {
    const change = parseChange(args.text(1));
    if (change === undefined) return new MinikeyError("BAD_REQUEST", "no change of the cluster map");
    const current = readMap(machine.view);
    if (change.do === "found") {
      if (current === undefined) writeMap(machine.view, change.map);
      return OK;
    }
    if (current === undefined) return new MinikeyError("NOT_READY", "the cluster has no map yet");
    const changed = changeMap(current, change);
    if (changed instanceof MinikeyError) return changed;
    const next = changed === current ? current : { ...changed, epoch: current.epoch + 1 };
    if (next !== current) writeMap(machine.view, next);
    if (change.do !== "replace") return next.epoch;
    const member = next.members.find(({ id, disk }) => id === change.id && disk === change.disk);
    return member === undefined ? null : [member.number, member.incarnation];
  },
};

/** Undefined for anything that is no change: it comes out of the log, and must not end the replicas. */
function parseChange(text: string): MapChange | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const change = parsed as Partial<Record<string, unknown>>;
  const shape = CHANGE_SHAPES.get(change["do"]);
  const isChange = shape?.every(([name, type]) => typeof change[name] === type) === true;
  return isChange && (change["do"] !== "found" || isMap(change["map"])) ? (parsed as MapChange) : undefined;
}

type Shape = readonly (readonly [string, "string" | "number" | "object"])[];

const CHANGE_SHAPES: ReadonlyMap<unknown, Shape> = new Map<unknown, Shape>([
  ["found", [["map", "object"]]],
  [
    "announce",
    [
      ["id", "string"],
      ["incarnation", "number"],
      ["peerAddress", "string"],
      ["respAddress", "string"],
      ["httpAddress", "string"],
    ],
  ],
  [
    "replace",
    [
      ["id", "string"],
      ["disk", "string"],
      ["incarnation", "number"],
    ],
  ],
  [
    "create-keyspace",
    [
      ["name", "string"],
      ["consistency", "string"],
      ["storage", "string"],
      ["replicas", "number"],
      ["partitions", "number"],
    ],
  ],
  ["drop-keyspace", [["name", "string"]]],
]);

function isMap(value: unknown): boolean {
  const { epoch, members, keyspaces } = (value ?? {}) as Partial<ClusterMap>;
  return typeof epoch === "number" && Array.isArray(members) && Array.isArray(keyspaces);
}

export function readMap(view: KeyValueView): ClusterMap | undefined {
  const entry = view.get(MAP_KEY);
  return entry === undefined
    ? undefined
    : (JSON.parse(entry.bytes.utf8Slice(entry.start, entry.end)) as ClusterMap);
}

function writeMap(view: KeyValueView, map: ClusterMap): void {
  const bytes = utf8ToBytes(JSON.stringify(map));
  view.set(MAP_KEY, "json", bytes, 0, bytes.length, 0);
}

/** The same map when the change says nothing new. */
function changeMap(map: ClusterMap, change: Exclude<MapChange, { do: "found" }>): ClusterMap | MinikeyError {
  switch (change.do) {
    case "announce": {
      const isNew = (member: Member) =>
        member.id === change.id &&
        member.incarnation === change.incarnation &&
        (member.peerAddress !== change.peerAddress ||
          member.respAddress !== change.respAddress ||
          member.httpAddress !== change.httpAddress);
      if (!map.members.some(isNew)) return map;
      const { peerAddress, respAddress, httpAddress } = change;
      return {
        ...map,
        members: map.members.map((member) =>
          isNew(member) ? { ...member, peerAddress, respAddress, httpAddress } : member,
        ),
      };
    }
    case "replace": {
      const isMeant = ({ id, disk, incarnation, lostDisks = [] }: Member) =>
        id === change.id &&
        incarnation === change.incarnation &&
        incarnation < INCARNATIONS_MAX &&
        disk !== change.disk &&
        !lostDisks.includes(change.disk);
      if (!map.members.some(isMeant)) return map;
      if (change.epoch !== undefined && change.epoch !== map.epoch) {
        return new MinikeyError("CONFLICT", `the cluster map is at ${map.epoch}, not at ${change.epoch}`);
      }
      return {
        ...map,
        members: map.members.map((member) => (isMeant(member) ? withDisk(member, change.disk) : member)),
      };
    }
    case "create-keyspace":
      return createKeyspace(map, change);
    case "drop-keyspace": {
      if (change.name === DEFAULT_KEYSPACE) {
        return new MinikeyError("UNSUPPORTED", "the keyspace 'default' cannot be dropped");
      }
      if (!map.keyspaces.some((keyspace) => keyspace.name === change.name)) {
        return new MinikeyError("KEYSPACE_NOT_FOUND", `no keyspace is named '${change.name}'`);
      }
      return { ...map, keyspaces: map.keyspaces.filter((keyspace) => keyspace.name !== change.name) };
    }
    default:
      return new MinikeyError("BAD_REQUEST", "unknown change of the cluster map");
  }
}

function withDisk(member: Member, disk: string): Member {
  const lostDisks = [member.disk, ...(member.lostDisks ?? [])].slice(0, LOST_DISKS_MAX);
  return { ...member, incarnation: member.incarnation + 1, disk, lostDisks };
}

function createKeyspace(
  map: ClusterMap,
  change: Extract<MapChange, { do: "create-keyspace" }>,
): ClusterMap | MinikeyError {
  const { name, consistency, storage, replicas, partitions } = change;
  if (!NAME_PATTERN.test(name)) {
    return new MinikeyError(
      "BAD_REQUEST",
      `'${name}' is no name for a keyspace: 1 to 64 letters, digits, '_', '-' or '.', a letter or digit first`,
    );
  }
  if (map.keyspaces.some((keyspace) => keyspace.name === name)) {
    return new MinikeyError("KEYSPACE_EXISTS", `the keyspace '${name}' exists already`);
  }
  if (consistency !== "strong" && consistency !== "eventual") {
    return new MinikeyError(
      "BAD_REQUEST",
      `consistency must be strong or eventual, got ${String(consistency)}`,
    );
  }
  if (storage !== "disk" && storage !== "memory") {
    return new MinikeyError("BAD_REQUEST", `storage must be disk or memory, got ${String(storage)}`);
  }
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > REPLICAS_MAX) {
    return new MinikeyError("BAD_REQUEST", `replicas must be 1 to ${REPLICAS_MAX}, got ${replicas}`);
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    return new MinikeyError("BAD_REQUEST", `partitions must be 1 to ${PARTITIONS_MAX}, got ${partitions}`);
  }
  if (map.nextKeyspace >= KEYSPACES_MAX) {
    return new MinikeyError("BAD_REQUEST", `a cluster makes at most ${KEYSPACES_MAX} keyspaces in its life`);
  }
  const id = keyspaceId(map.nextKeyspace);
  const keyspace = makeKeyspace(map, { id, name, consistency, storage, replicas, partitions });
  return { ...map, nextKeyspace: id + 1, keyspaces: [...map.keyspaces, keyspace] };
}
