/**
 * The cluster map as this node follows it: asks for changes, and when the metadata group has applied one, has
 * the transport, the router and the groups follow.
 */
import type { Reply } from "../commands/reply.js";
import { utf8ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import {
  type GroupId,
  incarnationOf,
  keyspaceOf,
  META_GROUP,
  memberNumberOf,
  type NodeId,
  partitionOf,
  type ReplicaId,
  replicaOf,
} from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Transport } from "../ports/transport.js";
import {
  type ClusterMap,
  MAP_CHANGE,
  type MapChange,
  type Member,
  memberReplica,
  readMap,
} from "./cluster-map.js";
import type { Groups } from "./groups.js";
import type { GroupKeeper } from "./keeper.js";
import { makeArgs } from "./node-commands.js";
import type { Requests } from "./requests.js";
import type { Router } from "./router.js";

export interface MembershipOptions {
  readonly self: NodeId;
  readonly peerAddress: string;
  /** The map that a new cluster starts with. */
  readonly founding: ClusterMap;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly transport: Transport;
  readonly groups: Groups;
  readonly requests: Requests;
  readonly router: Router;
  /** The group is gone with its keyspace. */
  readonly onRemoved: (group: GroupId) => void;
  readonly onFatal: (error: unknown) => void;
}

const ANNOUNCE_AGAIN_MS = 1_000;
const DIAL_ELSEWHERE_MS = 1_000;
const NO_MAP: ClusterMap = { epoch: 0, nextKeyspace: 1, valueBytesMax: 0, members: [], keyspaces: [] };

export class Membership {
  readonly #options: MembershipOptions;
  #map: ClusterMap = NO_MAP;
  #memberByNumber: (Member | undefined)[];
  #keeper: GroupKeeper | undefined;
  /** The groups have been opened and closed as the map says. */
  #following: Promise<void> | undefined;
  #isStopped = false;
  #incarnation = 0;
  #addresses = { respAddress: "", httpAddress: "" };
  #askedMs = Number.NEGATIVE_INFINITY;
  /** Where this node was told that its peers are. */
  readonly #told: ReadonlyMap<NodeId, string>;
  /** Where each peer is looked for now. */
  #dialled = new Map<NodeId, string>();
  #dialledMs = Number.NEGATIVE_INFINITY;

  constructor(options: MembershipOptions) {
    this.#options = options;
    // Until the map is read, the founders are who they are by their names.
    this.#memberByNumber = byNumber(options.founding.members);
    this.#told = new Map(options.founding.members.map((member) => [member.id, member.peerAddress]));
  }

  /** Epoch 0 until the node has read one. */
  get map(): ClusterMap {
    return this.#map;
  }

  /** From now on the groups follow the map; `incarnation` is this node's own. */
  async start(keeper: GroupKeeper, incarnation: number): Promise<void> {
    this.#incarnation = incarnation;
    // The map as of all that is known to be committed: one on the way there may name keyspaces whose data are gone.
    this.#options.groups.get(META_GROUP)?.advance();
    this.#keeper = keeper;
    await this.#follow();
    await this.#following;
  }

  /** Follows the map no more. Resolves when what it has begun is done. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    // Whoever began it hears of what went wrong.
    await this.#following?.catch(() => undefined);
  }

  /** Where clients reach this node; the map is to say so. */
  announce(respAddress: string, httpAddress: string): void {
    this.#addresses = { respAddress, httpAddress };
  }

  /** True once the map says where this node is: before, others cannot send clients here. */
  get isAnnounced(): boolean {
    return this.#map.epoch > 0 && this.#neededChange(false) === undefined;
  }

  /** Resolves with the change's reply. Rejects with the `MinikeyError` that it answers. */
  async change(change: MapChange): Promise<Reply> {
    const args = makeArgs([MAP_CHANGE.name, utf8ToBytes(JSON.stringify(change))]);
    const { requests } = this.#options;
    const reply = await new Promise<Reply>((resolve) => {
      requests.write(META_GROUP, MAP_CHANGE.opcode, args, "majority", { onReply: resolve }, undefined);
    });
    if (reply instanceof MinikeyError) throw reply;
    return reply;
  }

  /** The metadata group has applied something. */
  onApplied(): void {
    this.#follow().catch((error: unknown) => this.#options.onFatal(error));
  }

  /** From time to time: founds the map where there is none, and puts this node's addresses right. */
  run(): void {
    const { clock, groups, logger } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#dialElsewhere(nowMs);
    if (nowMs - this.#askedMs < ANNOUNCE_AGAIN_MS) return;
    const change = this.#neededChange(groups.get(META_GROUP)?.isLeader === true);
    if (change === undefined) return;
    this.#askedMs = nowMs;
    this.change(change).catch((error: unknown) => {
      logger.debug("the map could not be changed yet", { error: String(error) });
    });
  }

  member(memberNumber: number): Member | undefined {
    return this.#memberByNumber[memberNumber];
  }

  nodeOfMember(memberNumber: number): NodeId | undefined {
    return this.#memberByNumber[memberNumber]?.id;
  }

  replicaOn(node: NodeId): ReplicaId | undefined {
    const member = this.#map.members.find((candidate) => candidate.id === node);
    return member && memberReplica(member);
  }

  /** The nodes that are to hold a group. */
  holdersOf(group: GroupId): readonly NodeId[] {
    if (group === META_GROUP) return this.#map.members.map((member) => member.id);
    const keyspace = this.#options.router.keyspaceById(keyspaceOf(group));
    return keyspace?.placement[partitionOf(group)] ?? [];
  }

  /** The replicas that are to hold a group; undefined when the map does not know it. */
  wantedReplicas(group: GroupId): readonly ReplicaId[] | undefined {
    const holders = this.holdersOf(group);
    if (holders.length === 0) return undefined;
    return this.#map.members.filter((member) => holders.includes(member.id)).map(memberReplica);
  }

  /** Those that were in the place of one of these before: with the disks that it has lost since the keyspace was made. */
  retiredReplicas(group: GroupId): readonly ReplicaId[] {
    const founders = this.#options.router.keyspaceById(keyspaceOf(group))?.founders ?? {};
    return (this.wantedReplicas(group) ?? []).flatMap((replica) => {
      const node = this.nodeOfMember(memberNumberOf(replica));
      const founder = node === undefined ? undefined : founders[node];
      const first = founder === undefined ? 1 : incarnationOf(founder);
      const count = Math.max(0, incarnationOf(replica) - first);
      return Array.from({ length: count }, (_, i) => replicaOf(memberNumberOf(replica), first + i));
    });
  }

  #neededChange(leadsMap: boolean): MapChange | undefined {
    const { self, peerAddress, founding } = this.#options;
    if (this.#map.epoch === 0) return leadsMap ? { do: "found", map: founding } : undefined;
    const member = this.#map.members.find((candidate) => candidate.id === self);
    if (member === undefined) return undefined;
    const respAddress = this.#addresses.respAddress || member.respAddress;
    const httpAddress = this.#addresses.httpAddress || member.httpAddress;
    const isRight =
      member.respAddress === respAddress &&
      member.httpAddress === httpAddress &&
      member.peerAddress === peerAddress;
    if (isRight) return undefined;
    const incarnation = this.#incarnation;
    return { do: "announce", id: self, incarnation, peerAddress, respAddress, httpAddress };
  }

  async #follow(): Promise<void> {
    const { self, groups, requests, router, onRemoved } = this.#options;
    const meta = groups.get(META_GROUP);
    const map = meta && readMap(meta.machine.view);
    if (map === undefined || map.epoch <= this.#map.epoch) return;
    if (this.#keeper === undefined || this.#isStopped || this.#isReplaced(map)) return;
    this.#map = map;
    this.#memberByNumber = byNumber(map.members);
    this.#dialMembers();
    router.follow(map);
    requests.closeDropped();
    this.#following = this.#keeper.follow(
      map,
      (keyspace, partition) => keyspace.placement[partition].includes(self),
      map.valueBytesMax,
      onRemoved,
    );
    await this.#following;
  }

  /** Peers are where the map says; one that was reached elsewhere is left there: it will say so in the map. */
  #dialMembers(): void {
    const { self, transport } = this.#options;
    const before = this.#dialled;
    this.#dialled = new Map();
    for (const { id, peerAddress } of this.#map.members) {
      if (id === self) continue;
      const reached = transport.isUp(id) ? (before.get(id) ?? this.#told.get(id)) : undefined;
      this.#dialled.set(id, reached ?? peerAddress);
    }
    transport.setPeers(this.#dialled);
  }

  /**
   * A peer that is not up where the map has it is looked for where this node was told (`--cluster`), by turns:
   * when all nodes have moved at once, no map can say so before they have met.
   */
  #dialElsewhere(nowMs: number): void {
    if (nowMs - this.#dialledMs < DIAL_ELSEWHERE_MS) return;
    this.#dialledMs = nowMs;
    const { transport } = this.#options;
    let isElsewhere = false;
    for (const { id, peerAddress } of this.#map.members) {
      const dialled = this.#dialled.get(id);
      const other = dialled === peerAddress ? this.#told.get(id) : peerAddress;
      if (dialled === undefined || other === undefined || other === dialled || transport.isUp(id)) continue;
      this.#dialled.set(id, other);
      isElsewhere = true;
    }
    if (isElsewhere) transport.setPeers(this.#dialled);
  }

  #isReplaced(map: ClusterMap): boolean {
    const member = map.members.find((candidate) => candidate.id === this.#options.self);
    return member !== undefined && this.onReplaced(member.incarnation);
  }

  /** If the cluster goes on with another disk of this node, what is here no longer counts: the node ends. */
  onReplaced(current: number): boolean {
    if (this.#incarnation === 0 || current <= this.#incarnation) return false;
    this.#options.onFatal(
      new MinikeyError(
        "WRONG_CLUSTER",
        `the cluster has replaced ${this.#options.self}: this data directory is of incarnation ` +
          `${this.#incarnation}, and ${current} is current; start it with an empty directory`,
      ),
    );
    return true;
  }
}

function byNumber(members: readonly Member[]): (Member | undefined)[] {
  const result: (Member | undefined)[] = [];
  for (const member of members) result[member.number] = member;
  return result;
}
