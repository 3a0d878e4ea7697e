/**
 * The members of the current configuration and their majorities.
 *
 * In a joint configuration a decision needs a majority of the incoming voters and one of the outgoing voters
 * (§4.3); an empty half agrees to everything. Learners never count.
 */
import type { Configuration } from "../codec/raft-types.js";
import { type LogIndex, logIndex, type ReplicaId } from "../core/ids.js";
import { isVoter, membersOf } from "./configuration.js";
import { Progress } from "./progress.js";

export type Tally = "won" | "lost" | "open";

const matchOf = (member: Progress): number => member.match;
const roundOf = (member: Progress): number => member.readRound;
const heardOf = (member: Progress): number => member.heardTick;
const activeOf = (member: Progress): number => member.activeTick;

export class Members {
  /** This replica, whether or not it is a member. */
  readonly self: Progress;
  /** Every other member, by ascending id. */
  others: readonly Progress[] = [];
  readonly #inflightMessagesMax: number;
  #incoming: readonly Progress[] = [];
  #outgoing: readonly Progress[] = [];

  constructor(selfId: ReplicaId, inflightMessagesMax: number) {
    this.#inflightMessagesMax = inflightMessagesMax;
    this.self = new Progress(selfId, inflightMessagesMax);
    this.self.heardTick = Number.POSITIVE_INFINITY;
    this.self.activeTick = Number.POSITIVE_INFINITY;
  }

  /** Takes a configuration over; members that stay keep their progress, new ones start at `next`. */
  apply(configuration: Configuration, next: LogIndex, tick: number): void {
    const find = (id: ReplicaId): Progress => {
      const known = id === this.self.id ? this.self : this.get(id);
      if (known !== undefined) return known;
      const added = new Progress(id, this.#inflightMessagesMax);
      added.reset(next, tick);
      return added;
    };
    const members = membersOf(configuration).map(find);
    this.self.isVoter = false;
    for (const member of members) member.isVoter = isVoter(configuration, member.id);
    const among = (ids: readonly ReplicaId[]): Progress[] => members.filter(({ id }) => ids.includes(id));
    this.#incoming = among(configuration.voters);
    this.#outgoing = among(configuration.votersOutgoing);
    this.others = members.filter((member) => member !== this.self);
  }

  /** Another member; undefined for a stranger and for this replica. */
  get(id: ReplicaId): Progress | undefined {
    for (const member of this.others) if (member.id === id) return member;
    return undefined;
  }

  /** No one else has a vote. */
  isOnlyVoter(): boolean {
    return this.self.isVoter && !this.others.some((member) => member.isVoter);
  }

  /** The highest index that a majority has durably. */
  agreedMatch(): LogIndex {
    return logIndex(Math.min(agreed(this.#incoming, matchOf), agreed(this.#outgoing, matchOf)));
  }

  /** The highest read round that a majority has confirmed. */
  agreedRound(): number {
    return Math.min(agreed(this.#incoming, roundOf), agreed(this.#outgoing, roundOf));
  }

  /** The tick at which the last majority, this replica included, was complete: heard of then or later. */
  quorumHeardTick(): number {
    return Math.min(agreed(this.#incoming, heardOf), agreed(this.#outgoing, heardOf));
  }

  /** The same, without members whose connection broke since. */
  quorumActiveTick(): number {
    return Math.min(agreed(this.#incoming, activeOf), agreed(this.#outgoing, activeOf));
  }

  clearVotes(): void {
    this.self.vote = "none";
    for (const member of this.others) member.vote = "none";
  }

  tallyVotes(): Tally {
    const incoming = tally(this.#incoming);
    const outgoing = tally(this.#outgoing);
    if (incoming === "lost" || outgoing === "lost") return "lost";
    return incoming === "won" && outgoing === "won" ? "won" : "open";
  }
}

/** The highest value that a majority of `members` has reached. */
function agreed(members: readonly Progress[], valueOf: (member: Progress) => number): number {
  if (members.length === 0) return Number.POSITIVE_INFINITY;
  let best = Number.NEGATIVE_INFINITY;
  for (const candidate of members) {
    const value = valueOf(candidate);
    if (value <= best) continue;
    let reached = 0;
    for (const member of members) if (valueOf(member) >= value) reached += 1;
    if (reached > members.length / 2) best = value;
  }
  return best;
}

function hasMajority(members: readonly Progress[], holds: (member: Progress) => boolean): boolean {
  if (members.length === 0) return true;
  let count = 0;
  for (const member of members) if (holds(member)) count += 1;
  return count > members.length / 2;
}

function tally(members: readonly Progress[]): Tally {
  if (hasMajority(members, (member) => member.vote === "granted")) return "won";
  return members.filter((member) => member.vote === "refused").length >= members.length / 2 ? "lost" : "open";
}
