/**
 * What a node knows of the others beside the map: who leads what, how far replicas are, who is heard from.
 * Told by every node to every other twice a second; for routing where this node has no replica, for `status`,
 * and for spreading leaders. Nothing here decides anything that must be right.
 */
import { type GroupId, groupId, type NodeId, type ReplicaId, replicaId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Groups } from "./groups.js";

/** How a leader sees one of its groups. */
export interface LedGroup {
  readonly term: number;
  readonly commit: number;
  /** Match index by replica. */
  readonly matches: ReadonlyMap<ReplicaId, number>;
}

export interface Report {
  readonly kind: "report";
  /** [group, term, commit, [replica, match, …]] for each group that the sender leads. */
  readonly led: readonly (readonly [number, number, number, readonly number[]])[];
  /** The sender's wall clock, in milliseconds since 1970. Left out by versions before 0.2. */
  readonly wallMs?: number;
}

interface Known extends LedGroup {
  readonly leader: NodeId;
  readonly reportedMs: number;
}

/** Not heard from for so long: suspect, then inactive. */
const SUSPECT_AFTER_MS = 1_500;
const INACTIVE_AFTER_MS = 5_000;

export class ClusterView {
  readonly #clock: Clock;
  readonly #known = new Map<GroupId, Known>();
  readonly #heardMs = new Map<NodeId, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The leader that was reported last, in the highest term. */
  leaderOf(group: GroupId): NodeId | undefined {
    return this.#known.get(group)?.leader;
  }

  /** The same, when it said so lately: then a majority of the group is with it. */
  presentLeaderOf(group: GroupId): NodeId | undefined {
    const known = this.#known.get(group);
    if (known === undefined || this.#clock.monotonicMs() - known.reportedMs > SUSPECT_AFTER_MS)
      return undefined;
    return known.leader;
  }

  led(group: GroupId): LedGroup | undefined {
    return this.#known.get(group);
  }

  stateOf(node: NodeId): "active" | "suspect" | "inactive" {
    const heardMs = this.#heardMs.get(node);
    const silentMs = heardMs === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonicMs() - heardMs;
    if (silentMs < SUSPECT_AFTER_MS) return "active";
    return silentMs < INACTIVE_AFTER_MS ? "suspect" : "inactive";
  }

  /** What this node tells the others. */
  report(groups: Groups): string {
    const led: Report["led"] = [...groups.all()]
      .filter((group) => group.isLeader)
      .map(({ id, core }) => {
        const { voters, learners } = core.configuration;
        const matches = [...voters, ...learners].flatMap((member) => [member, core.matchOf(member)]);
        return [id, core.term, core.commit, matches] as const;
      });
    return JSON.stringify({ kind: "report", led, wallMs: this.#clock.wallMs() } satisfies Report);
  }

  /** Takes in this node's own report too. Returns the groups that have another leader than was known. */
  onReport(from: NodeId, report: Report): readonly GroupId[] {
    const news: GroupId[] = [];
    const nowMs = this.#clock.monotonicMs();
    this.#heardMs.set(from, nowMs);
    for (const [group, term, commit, pairs] of report.led) {
      const known = this.#known.get(groupId(group));
      if (known !== undefined && known.term > term) continue;
      if (known?.term !== term || known.leader !== from) news.push(groupId(group));
      const matches = new Map<ReplicaId, number>();
      for (let i = 0; i + 1 < pairs.length; i += 2) matches.set(replicaId(pairs[i]), pairs[i + 1]);
      this.#known.set(groupId(group), { leader: from, term, commit, matches, reportedMs: nowMs });
    }
    return news;
  }

  onHeard(node: NodeId): void {
    this.#heardMs.set(node, this.#clock.monotonicMs());
  }

  forget(group: GroupId): void {
    this.#known.delete(group);
  }
}

/** What nodes tell each other that is rare. */
export type Note =
  | Report
  /** `rebuild`: the node still has its data, and throws it away only when the rest can do without. */
  | { readonly kind: "rejoin"; readonly disk: string; readonly rebuild?: boolean }
  /** The answer, for the disk that was asked for: the node may have lost another one meanwhile. */
  | {
      readonly kind: "rejoined";
      readonly disk: string;
      readonly memberNumber: number;
      readonly incarnation: number;
    }
  /** It cannot be, or not yet. */
  | { readonly kind: "rejoin-refused"; readonly disk: string; readonly reason: string }
  /** To a node with an earlier disk of its own: the cluster has gone on with another. */
  | { readonly kind: "replaced"; readonly incarnation: number };

/** Undefined for text that is no note that this version knows. */
export function parseNote(text: string): Note | undefined {
  const note = parseObject(text);
  switch (note?.["kind"]) {
    case "report":
      return isListOf(note["led"], isLedGroup) && isTime(note["wallMs"])
        ? (note as unknown as Report)
        : undefined;
    case "rejoin":
      return typeof note["disk"] === "string" ? (note as unknown as Note) : undefined;
    case "replaced":
      return isCount(note["incarnation"]) ? (note as unknown as Note) : undefined;
    case "rejoin-refused":
      return typeof note["disk"] === "string" && typeof note["reason"] === "string"
        ? (note as unknown as Note)
        : undefined;
    case "rejoined":
      return typeof note["disk"] === "string" && isCount(note["memberNumber"]) && isCount(note["incarnation"])
        ? (note as unknown as Note)
        : undefined;
    default:
      return undefined;
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const isNumber = (value: unknown): value is number => Number.isSafeInteger(value);
const isTime = (value: unknown): boolean => value === undefined || (isNumber(value) && value >= 0);
const isCount = (value: unknown): boolean => isNumber(value) && value > 0 && value < 65_536;

function isListOf(value: unknown, isMember: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isMember);
}

function isLedGroup(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [group, term, commit, matches] = value as readonly unknown[];
  return isNumber(group) && isNumber(term) && isNumber(commit) && isListOf(matches, isNumber);
}
