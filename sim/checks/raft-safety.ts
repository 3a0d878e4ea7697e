/**
 * Raft's safety properties, held against every step of every group. Observed from outside, through the ports:
 * what each node hands to its log, what of it has become durable, and what it says to its peers.
 *
 * | property | is broken when |
 * | --- | --- |
 * | election safety | two replicas act as leaders of one term |
 * | one vote a term | a replica votes for two, or for one and forgets it over a restart |
 * | leader append-only | a leader's log is overwritten or shortened in its term |
 * | log matching | two logs hold an entry of the same index and term, and differ in it or before it |
 * | leader completeness | a leader lacks an entry that an earlier term committed |
 * | state machine safety | two replicas hold different entries for a committed index, or one gives one up |
 * | durable before told | a vote or an acknowledgement leaves before the disk has it, or a majority's disks lack what is committed |
 * | durable log | what a log said was durable is gone after a restart |
 *
 * Source: Ongaro, "Consensus: Bridging Theory and Practice" (2014), figure 3.2; §10.2.1 for what may leave early.
 *
 * An observer sees less than an omniscient reader of memory: a commit is known once a message or a hard state
 * carries it. What follows from that is weaker than the property, never stronger: nothing right is reported.
 */
import type { Configuration, Entry, Message, SnapshotMeta } from "../../src/codec/raft-types.js";
import { crc32c } from "../../src/core/crc32c.js";
import type { GroupId, NodeId } from "../../src/core/ids.js";
import type { LogAppend, RecoveredGroup } from "../../src/storage/log/types.js";
import { LogShadow } from "./log-shadow.js";
import type { Report } from "./violation.js";

/** One disk of a node, from when it was empty to when it is lost. */
class Life {
  readonly name: NodeId;
  /** As last seen in a message. */
  replica = 0;
  /** What was handed to the log. */
  readonly logs = new Map<GroupId, LogShadow>();
  /** What the log has said to be durable. */
  readonly durable = new Map<GroupId, LogShadow>();
  /** Groups that it has let go of: their last messages may still leave. */
  readonly dropped = new Set<GroupId>();
  /** Handed over and not durable. */
  readonly underWay = new Map<GroupId, LogAppend[]>();

  constructor(name: NodeId) {
    this.name = name;
  }
}

interface SeenEntry {
  readonly term: number;
  readonly hash: number;
  /** Of the entry before it; undefined when the log started with this one. */
  previousTerm: number | undefined;
}

/** What all replicas of a group have shown together. */
class SeenGroup {
  /** By term. */
  readonly leaders = new Map<number, number>();
  /** By index. */
  readonly entries: SeenEntry[][] = [];
  /** By index: the term of the entry committed there. */
  readonly committed: number[] = [];
  lastCommitted = 0;
  /** By the term in which it was known: the last index committed. */
  readonly commits = new Map<number, number>();
  /** By `replica/term`: whom it voted for. */
  readonly votes = new Map<string, number>();
}

export type ConfigurationOf = (node: NodeId, group: GroupId) => Configuration | undefined;

export class RaftSafety {
  readonly #report: Report;
  readonly #configurationOf: ConfigurationOf;
  readonly #groups = new Map<GroupId, SeenGroup>();
  readonly #lives = new Map<NodeId, Life>();
  readonly #byReplica = new Map<number, Life>();
  /** Steps looked at: entries, hard states, messages. */
  steps = 0;

  /**
   * @param configurationOf what a node's state machine says of a group's members: a group's first ones stand in no log
   */
  constructor(report: Report, configurationOf: ConfigurationOf = () => undefined) {
    this.#report = report;
    this.#configurationOf = configurationOf;
  }

  /** Terms that the groups have come to, in all. */
  get terms(): number {
    let terms = 0;
    for (const group of this.#groups.values()) terms += Math.max(0, ...group.leaders.keys());
    return terms;
  }

  // --- Disks ---

  onDiskLost(node: NodeId): void {
    this.#lives.delete(node);
  }

  /** A process has opened its log. */
  onRecovered(node: NodeId, groups: ReadonlyMap<GroupId, RecoveredGroup>): void {
    const life = this.#lifeOf(node);
    for (const [group, durable] of life.durable)
      this.#checkRecovered(life, group, durable, groups.get(group));
    life.logs.clear();
    life.durable.clear();
    life.underWay.clear();
    for (const [group, recovered] of groups) {
      life.logs.set(group, LogShadow.of(recovered));
      life.durable.set(group, LogShadow.of(recovered));
    }
  }

  #checkRecovered(
    life: Life,
    group: GroupId,
    durable: LogShadow,
    recovered: RecoveredGroup | undefined,
  ): void {
    const underWay = life.underWay.get(group) ?? [];
    if (recovered === undefined) {
      this.#report("durable log", `${life.name}: group ${group} is gone`);
      return;
    }
    const { hardState } = recovered;
    const isVoteKept = hardState.term > durable.term || durable.vote === 0 || hardState.vote === durable.vote;
    if (hardState.term < durable.term || !isVoteKept) {
      const had = `term ${durable.term}, vote ${durable.vote}`;
      const has = `term ${hardState.term}, vote ${hardState.vote}`;
      this.#report("durable log", `${life.name}: group ${group} had ${had} on disk, and has ${has}`);
    }
    const shadow = LogShadow.of(recovered);
    // What was under way may have replaced what was there.
    if (underWay.some(({ snapshot }) => snapshot !== undefined)) return;
    const keptUpTo = Math.min(
      durable.lastIndex,
      ...underWay.flatMap(({ entries }) => (entries.length === 0 ? [] : [entries[0].index - 1])),
    );
    for (let i = Math.max(durable.snapshotIndex, shadow.snapshotIndex) + 1; i <= keptUpTo; i += 1) {
      if (shadow.termAt(i) === durable.termAt(i)) continue;
      this.#report("durable log", `${life.name}: group ${group} lost entry ${i}, which was durable`);
      return;
    }
  }

  // --- The log ---

  onAppend(node: NodeId, append: LogAppend): void {
    this.steps += 1;
    const life = this.#lifeOf(node);
    const { group, hardState, entries, snapshot } = append;
    life.dropped.delete(group);
    const log = this.#shadow(life.logs, group);
    const seen = this.#groupOf(group);
    if (hardState !== undefined) this.#checkHardState(life, group, log, append);
    if (snapshot === undefined && entries.length > 0) this.#checkEntries(life, seen, log, append);
    const committedBefore = log.commit;
    log.add(append);
    if (entries.length > 0) this.#noteEntries(life, group, seen, log, entries);
    if (log.commit > committedBefore) this.#noteCommit(life, group, log, log.commit, log.term);
    const underWay = life.underWay.get(group);
    if (underWay === undefined) life.underWay.set(group, [append]);
    else underWay.push(append);
  }

  onDurable(node: NodeId, append: LogAppend): void {
    const life = this.#lifeOf(node);
    if (life.dropped.has(append.group)) return;
    this.#shadow(life.durable, append.group).add(append);
    life.underWay.get(append.group)?.shift();
  }

  onCompact(node: NodeId, group: GroupId, snapshot: SnapshotMeta): void {
    const life = this.#lifeOf(node);
    life.logs.get(group)?.compact(snapshot);
    life.durable.get(group)?.compact(snapshot);
  }

  onDrop(node: NodeId, group: GroupId): void {
    const life = this.#lifeOf(node);
    life.dropped.add(group);
    life.logs.delete(group);
    life.durable.delete(group);
    life.underWay.delete(group);
  }

  #checkHardState(life: Life, group: GroupId, log: LogShadow, { hardState }: LogAppend): void {
    if (hardState === undefined) return;
    if (hardState.term < log.term) {
      this.#report(
        "one vote a term",
        `${life.name}: group ${group} went from term ${log.term} to ${hardState.term}`,
      );
    }
    if (hardState.term === log.term && log.vote !== 0 && hardState.vote !== log.vote) {
      const votes = `for ${log.vote} and for ${hardState.vote}`;
      this.#report("one vote a term", `${life.name}: group ${group} voted ${votes} in term ${log.term}`);
    }
  }

  #checkEntries(life: Life, seen: SeenGroup, log: LogShadow, append: LogAppend): void {
    const { group, entries, hardState } = append;
    const term = hardState?.term ?? log.term;
    const [{ index }] = entries;
    if (index > log.lastIndex + 1 || index <= log.snapshotIndex) {
      const has = `has entries ${log.snapshotIndex + 1} to ${log.lastIndex}`;
      this.#report("log matching", `${life.name}: group ${group} ${has} and appends ${index}`);
    }
    if (index > log.lastIndex) return;
    if (life.replica !== 0 && seen.leaders.get(term) === life.replica) {
      const text = `replaces entry ${index} of ${log.lastIndex} in term ${term}, which it leads`;
      this.#report("leader append-only", `${life.name}: group ${group} ${text}`);
    }
    for (const entry of entries) {
      if (entry.index > log.commit) break;
      if (log.termAt(entry.index) === entry.term) continue;
      const text = `gives up entry ${entry.index}, which is committed (${log.commit})`;
      this.#report("state machine safety", `${life.name}: group ${group} ${text}`);
      return;
    }
    if (entries[0].index <= log.commit && entries[entries.length - 1].index < log.commit) {
      const text = `cuts its log after ${entries[entries.length - 1].index}, below the commit ${log.commit}`;
      this.#report("state machine safety", `${life.name}: group ${group} ${text}`);
    }
  }

  #noteEntries(life: Life, group: GroupId, seen: SeenGroup, log: LogShadow, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { index, term, kind, data } = entry;
      const hash = crc32c(data, 0, data.length, kind.length);
      const previousTerm = log.termAt(index - 1);
      const known = (seen.entries[index] ??= []).find((other) => other.term === term);
      if (known === undefined) {
        seen.entries[index].push({ term, hash, previousTerm });
        continue;
      }
      const isOtherBefore =
        previousTerm !== undefined && known.previousTerm !== undefined && previousTerm !== known.previousTerm;
      if (known.hash !== hash || isOtherBefore) {
        const where = isOtherBefore ? "what comes before it" : "what it says";
        const text = `entry ${index} of term ${term} differs from another replica's in ${where}`;
        this.#report("log matching", `${life.name}: group ${group} ${text}`);
      }
      known.previousTerm ??= previousTerm;
    }
  }

  // --- Commits ---

  /** `life` knows that everything up to `index` is committed, in `term` or before. */
  #noteCommit(life: Life, group: GroupId, log: LogShadow, index: number, term: number): void {
    const seen = this.#groupOf(group);
    if (index > log.lastIndex) {
      const text = `holds ${index} for committed and has entries up to ${log.lastIndex}`;
      this.#report("state machine safety", `${life.name}: group ${group} ${text}`);
      return;
    }
    for (let i = Math.max(log.snapshotIndex, log.comparedUpTo + 1, 1); i <= index; i += 1) {
      const termHere = log.termAt(i);
      if (termHere === undefined) continue;
      const known = seen.committed[i];
      if (known === undefined) seen.committed[i] = termHere;
      else if (known !== termHere) {
        const text = `holds entry ${i} of term ${termHere} for committed, others that of term ${known}`;
        this.#report("state machine safety", `${life.name}: group ${group} ${text}`);
        return;
      }
    }
    log.comparedUpTo = Math.max(log.comparedUpTo, index);
    if (index > (seen.commits.get(term) ?? 0)) seen.commits.set(term, index);
    if (index > seen.lastCommitted) {
      seen.lastCommitted = index;
      if (log.configuration.voters.length === 0) this.#learnMembers(life, group, log);
      this.#checkOnMajority(life, group, log, index);
    }
  }

  /** The log has named no members so far: they are those that the group began with. */
  #learnMembers(life: Life, group: GroupId, log: LogShadow): void {
    const configuration = this.#configurationOf(life.name, group);
    if (configuration === undefined) return;
    log.beginWith(configuration);
    const [voter, ...others] = configuration.voters;
    // It has nobody to send messages to, in which it would say who it is.
    if (others.length === 0 && !this.#byReplica.has(voter)) this.#byReplica.set(voter, life);
  }

  #checkOnMajority(life: Life, group: GroupId, log: LogShadow, index: number): void {
    const termHere = log.termAt(index);
    const holds = (replica: number): boolean => {
      const life = this.#byReplica.get(replica);
      const other = life?.durable.get(group);
      if (other === undefined) return life?.dropped.has(group) === true;
      if (other.snapshotIndex >= index) return true;
      return other.lastIndex >= index && (termHere === undefined || other.termAt(index) === termHere);
    };
    const isMajority = (voters: readonly number[]): boolean =>
      voters.length === 0 || 2 * voters.filter((voter) => holds(voter)).length > voters.length;
    const configurations = [log.configuration, log.previousConfiguration].filter((c) => c.voters.length > 0);
    const isKnown = configurations.every(({ voters, votersOutgoing }) =>
      [...voters, ...votersOutgoing].every((voter) => this.#byReplica.has(voter)),
    );
    if (configurations.length === 0 || !isKnown) return;
    const isHeld = configurations.some((c) => isMajority(c.voters) && isMajority(c.votersOutgoing));
    if (isHeld) return;
    const holders = configurations[0].voters.filter((voter) => holds(voter));
    const text = `entry ${index} is committed, and durable on ${holders.length} of ${configurations[0].voters.length}`;
    this.#report("durable before told", `${life.name}: group ${group} ${text}`);
  }

  // --- Messages ---

  /** A node sends; nothing is known of whether it arrives. */
  onMessage(node: NodeId, group: GroupId, message: Message): void {
    this.steps += 1;
    const life = this.#lifeOf(node);
    if (life.replica !== message.from) {
      life.replica = message.from;
      this.#byReplica.set(message.from, life);
    }
    const { type } = message;
    if (type === "append" || type === "heartbeat") this.#onLeader(life, group, message);
    else if (type === "snapshot" || type === "timeout-now") this.#noteLeader(life, group, message);
    else if (type === "vote-response" && !message.pre && !message.reject) this.#onVote(life, group, message);
    else if (type === "append-response" && !message.reject) {
      this.#onAcknowledged(life, group, message.index);
    }
  }

  #onLeader(life: Life, group: GroupId, message: Message & { readonly type: "append" | "heartbeat" }): void {
    this.#noteLeader(life, group, message);
    const seen = this.#groupOf(group);
    if (message.commit <= (seen.commits.get(message.term) ?? 0)) return;
    const log = life.logs.get(group);
    if (log !== undefined && message.commit <= log.lastIndex) {
      this.#noteCommit(life, group, log, message.commit, message.term);
    }
  }

  #noteLeader(life: Life, group: GroupId, { from, term }: Message): void {
    const seen = this.#groupOf(group);
    const leader = seen.leaders.get(term);
    if (leader === from) return;
    if (leader !== undefined) {
      const text = `group ${group}: ${leader} and ${from} (${life.name}) both lead term ${term}`;
      this.#report("election safety", text);
      return;
    }
    seen.leaders.set(term, from);
    this.#checkComplete(life, group, seen, term);
  }

  #checkComplete(life: Life, group: GroupId, seen: SeenGroup, term: number): void {
    const log = life.logs.get(group);
    if (log === undefined) return;
    for (const [committedIn, index] of seen.commits) {
      if (committedIn >= term) continue;
      const here = log.termAt(index);
      const isThere = index <= log.lastIndex && (here === undefined || here === seen.committed[index]);
      if (isThere) continue;
      const text = `leads term ${term} without entry ${index}, committed by term ${committedIn}`;
      this.#report("leader completeness", `${life.name}: group ${group} ${text}`);
    }
  }

  #onVote(life: Life, group: GroupId, { from, to, term }: Message): void {
    if (life.dropped.has(group)) return;
    const seen = this.#groupOf(group);
    const key = `${from}/${term}`;
    const before = seen.votes.get(key);
    if (before !== undefined && before !== to) {
      const text = `${life.name}: group ${group} voted for ${before} and for ${to} in term ${term}`;
      this.#report("one vote a term", text);
    }
    seen.votes.set(key, to);
    const durable = life.durable.get(group);
    const isDurable =
      durable !== undefined && (durable.term > term || (durable.term === term && durable.vote === to));
    if (!isDurable) {
      const text = `${life.name}: group ${group} votes for ${to} in term ${term}, and its disk does not know`;
      this.#report("durable before told", text);
    }
  }

  #onAcknowledged(life: Life, group: GroupId, index: number): void {
    if (life.dropped.has(group)) return;
    const last = life.durable.get(group)?.lastIndex ?? 0;
    if (last >= index) return;
    const text = `${life.name}: group ${group} acknowledges ${index}, and its disk holds ${last}`;
    this.#report("durable before told", text);
  }

  // --- What is known so far ---

  #lifeOf(node: NodeId): Life {
    const known = this.#lives.get(node);
    if (known !== undefined) return known;
    const life = new Life(node);
    this.#lives.set(node, life);
    return life;
  }

  #groupOf(group: GroupId): SeenGroup {
    let seen = this.#groups.get(group);
    if (seen === undefined) {
      seen = new SeenGroup();
      this.#groups.set(group, seen);
    }
    return seen;
  }

  #shadow(logs: Map<GroupId, LogShadow>, group: GroupId): LogShadow {
    let shadow = logs.get(group);
    if (shadow === undefined) {
      shadow = new LogShadow();
      logs.set(group, shadow);
    }
    return shadow;
  }
}
