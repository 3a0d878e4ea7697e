/**
 * A member's side of a node that comes back with another disk: has the map give it a new incarnation, and tells it.
 * Asked again for the same disk, it gives the same.
 *
 * A node that is to be rebuilt still has its data. It is told to keep it while the rest may need it: while a group
 * that it holds has no leader, and with the leader no majority, without it. Whether the map can be changed without
 * it is shown by the change itself.
 */
import { type GroupId, groupOf, META_GROUP, type NodeId, partitionId } from "../core/ids.js";
import type { Logger } from "../ports/logger.js";
import type { Transport } from "../ports/transport.js";
import type { Member } from "./cluster-map.js";
import type { ClusterView, Note } from "./cluster-view.js";
import type { Membership } from "./membership.js";
import { encodeNoteFrame } from "./peer-frames.js";

export class Readmission {
  readonly #membership: Pick<Membership, "map" | "change">;
  readonly #view: Pick<ClusterView, "presentLeaderOf" | "stateOf">;
  readonly #transport: Transport;
  readonly #logger: Logger;

  constructor(
    membership: Pick<Membership, "map" | "change">,
    view: Pick<ClusterView, "presentLeaderOf" | "stateOf">,
    transport: Transport,
    logger: Logger,
  ) {
    this.#membership = membership;
    this.#view = view;
    this.#transport = transport;
    this.#logger = logger;
  }

  onRejoin(from: NodeId, { disk, rebuild }: Extract<Note, { kind: "rejoin" }>): void {
    const obstacle = rebuild === true ? this.#whyNeeded(from, disk) : undefined;
    if (obstacle !== undefined) {
      this.#logger.warn("a node is to be rebuilt, but its data may be needed", {
        node: from,
        reason: obstacle,
      });
      this.#note(from, { kind: "rejoin-refused", disk, reason: obstacle });
      return;
    }
    const known = this.#membership.map.members.find((member) => member.id === from);
    if (known === undefined) {
      this.#note(from, { kind: "rejoin-refused", disk, reason: `the cluster has no member ${from}` });
      return;
    }
    const { incarnation: before } = known;
    // This node may be behind: what it has found to be there without that node must be all that there is.
    const asOf = rebuild === true ? { epoch: this.#membership.map.epoch } : {};
    this.#membership.change({ do: "replace", id: from, disk, incarnation: before, ...asOf }).then(
      (reply) => {
        if (!Array.isArray(reply)) {
          const reason = `the cluster has given the place of ${from} to another disk: empty the directory`;
          this.#note(from, { kind: "rejoin-refused", disk, reason });
          return;
        }
        const [memberNumber, incarnation] = reply as readonly number[];
        this.#logger.info("a member has come back with another disk", { node: from, incarnation });
        this.#note(from, { kind: "rejoined", disk, memberNumber, incarnation });
      },
      (error: unknown) => {
        const reason = String(error);
        this.#logger.warn("a member could not be given another disk yet", { node: from, error: reason });
        if (rebuild === true) this.#note(from, { kind: "rejoin-refused", disk, reason });
      },
    );
  }

  /** The member was started with a disk that the cluster has given up: it would wait for ever to be heard. */
  onReplaced({ id, incarnation }: Member): void {
    const isTold = this.#note(id, { kind: "replaced", incarnation });
    if (isTold)
      this.#logger.error("a node was started with a disk that the cluster has replaced", { node: id });
  }

  /** Why the data of `node`, which takes part in nothing now, may be needed; undefined when the rest has it all. */
  #whyNeeded(node: NodeId, disk: string): string | undefined {
    const { map } = this.#membership;
    if (map.members.some((member) => member.id === node && member.disk === disk)) return undefined;
    const isWithout = (group: GroupId) => {
      const leader = this.#view.presentLeaderOf(group);
      return leader !== undefined && leader !== node;
    };
    if (!isWithout(META_GROUP)) return "the cluster map has no leader without that node";
    for (const { id, name, consistency, placement } of map.keyspaces) {
      const isEventual = consistency === "eventual";
      const needed = placement.findIndex(
        (nodes, i) =>
          nodes.includes(node) &&
          !(isEventual ? this.#areHeard(nodes, node) : isWithout(groupOf(id, partitionId(i)))),
      );
      const lacks = isEventual ? "is not all heard from" : "has no leader";
      if (needed >= 0) return `partition ${needed} of keyspace '${name}' ${lacks} without that node`;
    }
    return undefined;
  }

  /** Whether there are others, and all of them are there: what a majority has, one of these has. */
  #areHeard(nodes: readonly NodeId[], without: NodeId): boolean {
    const others = nodes.filter((node) => node !== without);
    return others.length > 0 && others.every((node) => this.#view.stateOf(node) === "active");
  }

  #note(to: NodeId, note: Note): boolean {
    return this.#transport.send(to, encodeNoteFrame(JSON.stringify(note)));
  }
}
