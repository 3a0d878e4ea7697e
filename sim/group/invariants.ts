/**
 * What must hold in every state of a group's life, whatever is lost, repeated, reordered or crashes (dissertation
 * figure 3.2), checked from outside: on what replicas write, send, commit, apply and answer. Throws `Violation`.
 */
import type { Configuration, Entry, Message } from "../../src/codec/raft-types.js";
import { logIndex, type ReplicaId } from "../../src/core/ids.js";
import type { Append, ReadState } from "../../src/raft/types.js";
import { Violation } from "../checks/violation.js";
import type { Applied, Host } from "./host.js";

interface Known {
  readonly text: string;
  readonly prevTerm: number;
}

const LOG_MATCHING = "log matching";
const DURABLE = "durable before told";
const STATE_MACHINE = "state machine safety";
const ELECTION = "election safety";

function hold(property: string, isTrue: boolean, message: string): void {
  if (!isTrue) throw new Violation(property, message);
}

const keyOf = (index: number, term: number): string => `${index}/${term}`;

export class Invariants {
  readonly #hosts: ReadonlyMap<ReplicaId, Host>;
  readonly #leaders = new Map<number, ReplicaId>();
  readonly #entries = new Map<string, Known>();
  /** Term and text of what any replica has committed, or applied, by index. */
  readonly #committed: number[] = [];
  /** By index: the term in which it was committed, which an entry of an earlier term may wait for. */
  readonly #committedIn: number[] = [];
  readonly #applied: Applied[] = [];
  readonly #commitSeen = new Map<ReplicaId, number>();
  readonly #leadsSeen = new Map<ReplicaId, number>();
  /** Reads under way: what was committed when they were asked for. */
  readonly #reads = new Map<number, number>();
  readsAnswered = 0;

  constructor(hosts: ReadonlyMap<ReplicaId, Host>) {
    this.#hosts = hosts;
  }

  /** The highest index that any replica knows to be committed. */
  get committedIndex(): number {
    return Math.max(0, this.#committed.length - 1);
  }

  get elections(): number {
    return this.#leaders.size;
  }

  /** Log matching: same index and term, same entry, and the same before it. */
  onAppend(host: Host, append: Append): void {
    let prevTerm = append.entries.length === 0 ? 0 : this.#prevTerm(host, append.entries[0]);
    for (const { index, term, kind, data } of append.entries) {
      const text = `${kind} ${data.latin1Slice()}`;
      const known = this.#entries.get(keyOf(index, term));
      if (known === undefined) this.#entries.set(keyOf(index, term), { text, prevTerm });
      else {
        const isSame = known.text === text && known.prevTerm === prevTerm;
        hold(LOG_MATCHING, isSame, `two entries at ${index} of term ${term}`);
      }
      prevTerm = term;
    }
  }

  /** Nothing is promised that a crash could take back. */
  onMessage(host: Host, message: Message): void {
    if (message.type === "append-response" && !message.reject) {
      const { start, entries, checkpoint } = host.disk;
      const durable = Math.max(start.index + entries.length, checkpoint.meta.index);
      hold(
        DURABLE,
        durable >= message.index,
        `${host.id} acknowledges ${message.index}, has ${durable} on disk`,
      );
    }
    const { term, vote } = host.disk.hardState;
    // On disk a later term will do as well: there is no second vote in an earlier one.
    if (term > message.term) return;
    if (message.type === "vote-response" && !message.pre && !message.reject) {
      const isDurable = term === message.term && vote === message.to;
      hold(DURABLE, isDurable, `${host.id} votes before it is durable`);
    }
    if (message.type === "vote" && !message.pre) {
      const isDurable = term === message.term && vote === host.id;
      hold(DURABLE, isDurable, `${host.id} runs before it is durable`);
      const durable = host.disk.start.index + host.disk.entries.length;
      hold(
        DURABLE,
        message.lastIndex <= durable,
        `${host.id} claims ${message.lastIndex}, has ${durable} on disk`,
      );
    }
  }

  /** State-machine safety: nobody applies another entry at the same index. */
  onApplied(host: Host, entry: Applied): void {
    const known = this.#applied[entry.index] as Applied | undefined;
    if (known === undefined) this.#applied[entry.index] = entry;
    else {
      const isSame = entry.term === known.term && entry.text === known.text;
      hold(STATE_MACHINE, isSame, `${host.id} applies something else at ${entry.index}`);
    }
    const durable = host.disk.start.index + host.disk.entries.length;
    hold(DURABLE, entry.index <= durable, `${host.id} applies ${entry.index}, has ${durable} on disk`);
  }

  onReadAsked(context: number): void {
    this.#reads.set(context, this.committedIndex);
  }

  /** Linearizability: a read sees all that was committed before it was asked for. */
  onRead({ context, index }: ReadState): void {
    const floor = this.#reads.get(context);
    if (floor === undefined) {
      throw new Violation(
        "each command is answered once",
        `read ${context} is answered twice, or was never asked for`,
      );
    }
    this.#reads.delete(context);
    if (index === 0) return;
    this.readsAnswered += 1;
    hold(
      "linearizability",
      index >= floor,
      `a read is answered at ${index}, ${floor} was committed before it`,
    );
  }

  /** A crash takes the reads under way along. */
  onCrash(host: Host, contexts: readonly number[]): void {
    for (const context of contexts) this.#reads.delete(context);
    this.#commitSeen.delete(host.id);
  }

  /** After anything that a replica was given. */
  check(host: Host): void {
    const { raft } = host;
    this.#checkCommit(host);
    if (raft.role === "leader" && this.#leadsSeen.get(host.id) !== raft.term) this.#checkNewLeader(host);
  }

  /** A majority, of both in a joint configuration, has voted for it durably, or gone on to a later term. */
  #checkElectedBy({ id, raft }: Host): void {
    const { voters, votersOutgoing } = raft.configuration;
    for (const half of [voters, votersOutgoing]) {
      const possible = half.filter((voter) => {
        const { term, vote } = this.#hosts.get(voter)!.disk.hardState;
        return term > raft.term || (term === raft.term && vote === id);
      });
      const isElected = half.length === 0 || possible.length > half.length / 2;
      hold(
        ELECTION,
        isElected,
        `${id} leads term ${raft.term}: of ${half.join()} only ${possible.join()} voted`,
      );
    }
    const members = new Set([...voters, ...votersOutgoing, ...raft.configuration.learners]);
    members.delete(id);
    const served = raft.status().progress.map((member) => member.id);
    const isSame = served.length === members.size && served.every((member) => members.has(member));
    hold("members are served", isSame, `${id} serves others than the members of its configuration`);
  }

  #prevTerm(host: Host, { index }: Entry): number {
    return host.raft.metaAt(logIndex(index - 1)).term;
  }

  #checkCommit(host: Host): void {
    const { raft } = host;
    const seen = this.#commitSeen.get(host.id) ?? 0;
    if (raft.commit === seen) return;
    hold(
      STATE_MACHINE,
      raft.commit > seen,
      `${host.id} takes its commit index back from ${seen} to ${raft.commit}`,
    );
    this.#commitSeen.set(host.id, raft.commit);
    const from = Math.max(seen + 1, raft.status().firstIndex - 1, 1);
    for (let index = from; index <= raft.commit; index += 1) {
      const { term } = raft.metaAt(logIndex(index));
      this.#committed[index] ??= term;
      this.#committedIn[index] ??= raft.term;
      hold(STATE_MACHINE, term === this.#committed[index], `${host.id} commits another entry at ${index}`);
    }
    if (raft.role === "leader") this.#checkQuorumHas(raft.configuration, raft.commit);
  }

  /** What a leader commits is on the disks of a majority, of both in a joint configuration. */
  #checkQuorumHas(configuration: Configuration, index: number): void {
    const term = this.#committed[index];
    for (const voters of [configuration.voters, configuration.votersOutgoing]) {
      if (voters.length === 0) continue;
      const holders = voters.filter((id) => this.#hasOnDisk(this.#hosts.get(id)!, index, term));
      hold(
        DURABLE,
        holders.length > voters.length / 2,
        `${index} of term ${term} is committed, but of ${voters.join()} only ${holders.join()} have it on disk`,
      );
    }
  }

  #hasOnDisk({ disk }: Host, index: number, term: number): boolean {
    if (disk.checkpoint.meta.index >= index || disk.start.index >= index) return true;
    return disk.entries.at(index - disk.start.index - 1)?.term === term;
  }

  /** Election safety, and leader completeness: it has everything committed in earlier terms. */
  #checkNewLeader(host: Host): void {
    const { raft } = host;
    this.#leadsSeen.set(host.id, raft.term);
    const other = this.#leaders.get(raft.term) ?? host.id;
    hold(ELECTION, host.id === other, `two leaders in term ${raft.term}`);
    this.#leaders.set(raft.term, host.id);
    this.#checkElectedBy(host);
    for (let index: number = raft.status().firstIndex; index <= this.committedIndex; index += 1) {
      // A leader may learn late that it was elected: it need not have what later terms have committed since.
      if (this.#committedIn[index] >= raft.term) continue;
      hold(
        "leader completeness",
        index <= raft.lastIndex,
        `leader ${host.id} of term ${raft.term} lacks ${index}`,
      );
      const { term } = raft.metaAt(logIndex(index));
      hold(
        "leader completeness",
        term === this.#committed[index],
        `leader ${host.id} of term ${raft.term} has another entry at ${index}`,
      );
    }
  }
}
