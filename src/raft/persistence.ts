/**
 * What this replica must make durable, what of it the host has been handed, and what waits for it.
 *
 *   log:   │ durable            │ handed out, being written    │ not handed out yet │
 *                       durableIndex                    handedIndex             lastIndex
 *
 * - Appends are numbered, written and confirmed in order, so that confirming one confirms all before it.
 * - An entry that is replaced while it is being written never becomes durable by the write that it was in:
 *   truncation clips every append under way, and only what its replacement is handed out with counts. What
 *   was not handed out is never written, and not acknowledged either.
 * - A message that promises something (a vote, an acknowledgement) leaves after everything that this replica
 *   knew when it made the promise is durable: it travels in `Append.messages`, or, when there is nothing new
 *   to write, waits here for the append under way.
 *
 * Source: dissertation figure 3.1 (persistent state is updated before responding), §10.2.1.
 */
import type { Message, SnapshotMeta } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import { type LogIndex, logIndex, type ReplicaId, type Term, term } from "../core/ids.js";
import type { RaftLog } from "./log.js";
import type { Append, RestoredState } from "./types.js";

interface AppendUnderWay {
  readonly number: number;
  readonly term: Term;
  readonly vote: ReplicaId;
  /** The log is durable up to here once the append is: lowered when the log is truncated meanwhile. */
  durableIndex: LogIndex;
  /** Promises made while it was being written. */
  readonly waiting: Message[];
}

/** The part of a replica's state that is made durable. */
interface State {
  readonly term: Term;
  readonly vote: ReplicaId;
  readonly commit: LogIndex;
}

const NOTHING_CLAIMED = logIndex(0);

/** Differs from every term: the disk does not have it. */
const NO_TERM = term(-1);

export class Persistence {
  readonly #log: RaftLog;
  #durableIndex: LogIndex;
  #handedIndex: LogIndex;
  #durableTerm: Term;
  #durableVote: ReplicaId;
  #handedTerm: Term;
  #handedVote: ReplicaId;
  #handedCommit: LogIndex;
  #snapshot: SnapshotMeta | undefined;
  /** The commit index is to be written though nothing else is. */
  #isCommitDue = false;
  #promises: Message[] = [];
  readonly #underWay: AppendUnderWay[] = [];
  #lastNumber = 0;

  constructor(log: RaftLog, restored: RestoredState) {
    this.#log = log;
    this.#durableIndex = log.lastIndex;
    this.#handedIndex = log.lastIndex;
    const isSuperseded = restored.isLogSuperseded === true;
    // What supersedes a log may be of a later term than it: the term goes to disk with it, or a restart forgets it.
    this.#durableTerm = isSuperseded ? NO_TERM : restored.hardState.term;
    this.#durableVote = restored.hardState.vote;
    this.#handedTerm = this.#durableTerm;
    this.#handedVote = restored.hardState.vote;
    this.#handedCommit = restored.hardState.commit;
    this.#snapshot = isSuperseded ? restored.snapshot : undefined;
  }

  /** The log is durable up to here. */
  get durableIndex(): LogIndex {
    return this.#durableIndex;
  }

  /** The vote for `candidate` in `term` is durable. */
  isVoteDurable(term: Term, candidate: ReplicaId): boolean {
    return this.#durableTerm === term && this.#durableVote === candidate;
  }

  /** Something is to be written. */
  isDue(state: State): boolean {
    return (
      this.#handedIndex < this.#log.lastIndex ||
      this.#handedTerm !== state.term ||
      this.#handedVote !== state.vote ||
      this.#snapshot !== undefined ||
      this.#isCommitDue
    );
  }

  /** The next append is to say what is committed, and there is to be one. */
  recordCommit(): void {
    this.#isCommitDue = true;
  }

  /** Sends a promise once all that this replica knows now is durable: to `messages` when it is already. */
  promise(message: Message, state: State, messages: Message[]): void {
    if (this.isDue(state)) pushCoalesced(this.#promises, message);
    else if (this.#underWay.length > 0)
      pushCoalesced(this.#underWay[this.#underWay.length - 1].waiting, message);
    else messages.push(message);
  }

  /** The log is about to be truncated from `index` on. */
  onTruncate(index: LogIndex): void {
    this.#clip(logIndex(index - 1));
  }

  /** The log was replaced by a snapshot, which is durable in the state machine. */
  onRestore(meta: SnapshotMeta): void {
    this.#clip(meta.index);
    this.#durableIndex = meta.index;
    this.#handedIndex = meta.index;
    this.#snapshot = meta;
  }

  /** The next append, or undefined when there is nothing to write. */
  take(state: State): Append | undefined {
    if (!this.isDue(state)) {
      assert(this.#promises.length === 0, "a promise waits for an append that will not be made");
      return undefined;
    }
    const entries = this.#log.slice(logIndex(this.#handedIndex + 1), this.#log.lastIndex);
    const { term, vote, commit } = state;
    const isStateNew =
      this.#isCommitDue ||
      this.#handedTerm !== term ||
      this.#handedVote !== vote ||
      this.#handedCommit !== commit;
    const number = this.#lastNumber + 1;
    const append: Append = {
      number,
      hardState: isStateNew ? { term, vote, commit } : undefined,
      entries,
      snapshot: this.#snapshot,
      messages: this.#promises,
    };
    this.#underWay.push({ number, term, vote, durableIndex: this.#log.lastIndex, waiting: [] });
    this.#lastNumber = number;
    this.#handedIndex = this.#log.lastIndex;
    this.#handedTerm = term;
    this.#handedVote = vote;
    this.#handedCommit = commit;
    this.#snapshot = undefined;
    this.#isCommitDue = false;
    this.#promises = [];
    return append;
  }

  /** The append is durable: releases to `messages` what waited for it. */
  confirm(number: number, messages: Message[]): void {
    const append = this.#underWay.shift();
    assert(append?.number === number, "append % confirmed, % is the oldest", number, append?.number);
    if (append.durableIndex > this.#durableIndex) this.#durableIndex = append.durableIndex;
    this.#durableTerm = append.term;
    this.#durableVote = append.vote;
    for (const message of append.waiting) messages.push(message);
  }

  /** Nothing after `lastIndex` that was or is to be written is in the log any more. */
  #clip(lastIndex: LogIndex): void {
    this.#promises = this.#promises.filter((message) => claimedIndex(message) <= lastIndex);
    if (this.#handedIndex > lastIndex) this.#handedIndex = lastIndex;
    if (this.#durableIndex > lastIndex) this.#durableIndex = lastIndex;
    for (const append of this.#underWay) {
      if (append.durableIndex > lastIndex) append.durableIndex = lastIndex;
    }
  }
}

/** Up to where its sender says to have the log. */
function claimedIndex(message: Message): LogIndex {
  if (message.type === "append-response") return message.index;
  return message.type === "vote" ? message.lastIndex : NOTHING_CLAIMED;
}

/** Adds a promise; an acknowledgement replaces the one before it, which it includes. */
function pushCoalesced(promises: Message[], message: Message): void {
  const last = promises[promises.length - 1] as Message | undefined;
  const isCovered =
    last?.type === "append-response" &&
    message.type === "append-response" &&
    !last.reject &&
    !message.reject &&
    last.to === message.to &&
    last.term === message.term &&
    last.index <= message.index;
  if (isCovered) promises[promises.length - 1] = message;
  else promises.push(message);
}
