/** Mistakes in the consensus core: elections, replication, commitment, linearizable reads. */
import { ANY, type Attack, GROUP, type Mutant } from "./mutant.js";

/** Reads by lease. */
const GROUP_LEASE: Attack = { ...GROUP, scenario: "group-lease" };

const ELECTIONS: readonly Mutant[] = [
  {
    name: "vote-twice",
    mistake: "A vote is refused while a leader is known, but not when it was given to another already.",
    file: "src/raft/election.ts",
    text: "const isFree = replica.vote === from || (replica.vote === NOBODY && replica.leader === NOBODY);",
    replacement: "const isFree = replica.leader === NOBODY;",
    attack: ANY,
  },
  {
    name: "forget-vote-on-restart",
    mistake: "A restarted replica takes up its term, and not whom it voted for in it.",
    file: "src/raft/replica.ts",
    text: "this.vote = hardState.vote;",
    replacement: "this.vote = NOBODY;",
    attack: ANY,
  },
  {
    name: "vote-before-durable",
    mistake: "A vote is sent at once, while the disk still writes it.",
    file: "src/raft/election.ts",
    text: "replica.sendDurably(voteResponse(replica, from, false, false, replica.term));",
    replacement: "replica.send(voteResponse(replica, from, false, false, replica.term));",
    attack: ANY,
  },
  {
    name: "longest-log-wins",
    mistake:
      "Of two logs the longer one is taken for more complete, whatever the terms of their last entries.",
    file: "src/raft/log.ts",
    text: "return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);",
    replacement: "return lastIndex >= this.lastIndex;",
    attack: GROUP,
  },
];

const REPLICATION: readonly Mutant[] = [
  {
    name: "answer-before-fsync",
    mistake: "What is to be told once an append is durable is told when it is handed to the log.",
    file: "src/node/replica-group.ts",
    text: `    this.#host.log.append({ group: this.id, hardState, entries, snapshot }, () => {
      for (const recorded of waiters) recorded();
      for (const message of append.messages) this.#host.sendMessage(this, message);
`,
    replacement: `    for (const message of append.messages) this.#host.sendMessage(this, message);
    this.#host.log.append({ group: this.id, hardState, entries, snapshot }, () => {
      for (const recorded of waiters) recorded();
`,
    attack: ANY,
  },
  {
    name: "leader-counts-itself-early",
    mistake: "A leader counts its own entry as soon as it has appended it, not when its disk has it.",
    file: "src/raft/replication.ts",
    text: "replica.append({ index, term: replica.term, kind, data });",
    replacement: `replica.append({ index, term: replica.term, kind, data });
  replica.members.self.acknowledge(index);`,
    attack: ANY,
  },
  {
    name: "commit-older-term-by-counting",
    mistake: "An entry is committed when a majority has it, of whatever term it is (figure 3.7).",
    file: "src/raft/replication.ts",
    text: "if (index <= replica.commit || replica.log.termAt(index) !== replica.term) return;",
    replacement: "if (index <= replica.commit) return;",
    attack: GROUP,
  },
  {
    name: "skip-log-matching",
    mistake: "An append is taken when the log is long enough, without a look at the term before it.",
    file: "src/raft/follower.ts",
    text: "if (replica.log.termAt(append.prevIndex) !== append.prevTerm) return refuse(replica, append);",
    replacement: "if (append.prevIndex > replica.log.lastIndex) return refuse(replica, append);",
    attack: ANY,
  },
  {
    name: "truncate-committed",
    mistake:
      "Every append replaces what comes after its start, conflict or not: a late one cuts off newer entries.",
    file: "src/raft/follower.ts",
    text: "      if (log.termAt(entry.index) === entry.term) continue;\n",
    replacement: "",
    attack: ANY,
  },
  {
    name: "commit-past-the-match",
    mistake: "A follower commits as far as its log goes, also past what the leader has just shown to agree.",
    file: "src/raft/follower.ts",
    text: "const isCommitNews = advanceCommit(replica, logIndex(Math.min(append.commit, lastNew)));",
    replacement:
      "const isCommitNews = advanceCommit(replica, logIndex(Math.min(append.commit, log.lastIndex)));",
    attack: GROUP,
  },
  {
    name: "count-old-acknowledgement",
    mistake: "An acknowledgement counts whatever the term it was given in.",
    file: "src/raft/raft.ts",
    text: "if (message.term < replica.term) return onOldTerm(replica, message);",
    replacement:
      'if (message.term < replica.term && message.type !== "append-response") return onOldTerm(replica, message);',
    attack: GROUP,
  },
];

const READS: readonly Mutant[] = [
  {
    name: "read-from-deposed-leader",
    mistake: "A leader answers reads from what it has committed, without asking whether it still leads.",
    file: "src/raft/reads.ts",
    text: "if (replica.members.isOnlyVoter() || hasLease(replica)) {",
    replacement: 'if (replica.role === "leader") {',
    attack: GROUP,
  },
  {
    name: "read-before-own-term",
    mistake: "A new leader answers reads before it knows what earlier terms have committed.",
    file: "src/raft/reads.ts",
    text: "return replica.isTermCommitted && (!reads.isRoundOpen || hasLease(replica));",
    replacement: "return !reads.isRoundOpen || hasLease(replica);",
    attack: GROUP,
  },
  {
    name: "read-joins-round",
    mistake: "A read that comes while others are being confirmed is confirmed with them.",
    file: "src/raft/reads.ts",
    text: "else replica.reads.waiting.push(context);",
    replacement: `else if (replica.reads.isRoundOpen) replica.reads.confirming.push(context);
  else replica.reads.waiting.push(context);`,
    attack: GROUP,
  },
];

const MEMBERS: readonly Mutant[] = [
  {
    name: "joint-commit-by-one-majority",
    mistake: "In a joint configuration an entry is committed when a majority of the new voters has it.",
    file: "src/raft/members.ts",
    text: "return logIndex(Math.min(agreed(this.#incoming, matchOf), agreed(this.#outgoing, matchOf)));",
    replacement: "return logIndex(agreed(this.#incoming, matchOf));",
    attack: GROUP,
  },
  {
    name: "joint-vote-by-one-majority",
    mistake: "In a joint configuration a majority of the new voters elects.",
    file: "src/raft/members.ts",
    text: 'return incoming === "won" && outgoing === "won" ? "won" : "open";',
    replacement: "return incoming;",
    attack: GROUP,
  },
  {
    name: "joint-read-by-one-majority",
    mistake: "In a joint configuration a majority of the new voters confirms that the leader leads.",
    file: "src/raft/members.ts",
    text: "return Math.min(agreed(this.#incoming, roundOf), agreed(this.#outgoing, roundOf));",
    replacement: "return agreed(this.#incoming, roundOf);",
    attack: GROUP,
  },
  {
    name: "two-voters-at-once",
    mistake: "A change of two voters goes without a joint configuration, as one of one voter may.",
    file: "src/raft/configuration.ts",
    text: "if (added + removed <= 1) return target;",
    replacement: "if (added + removed <= 2) return target;",
    attack: GROUP,
  },
  {
    name: "change-while-changing",
    mistake: "Members are changed again while the last change is not committed.",
    file: "src/raft/membership.ts",
    text: "const isSettled = replica.isTermCommitted && replica.history.currentIndex <= replica.commit;",
    replacement: "const isSettled = replica.isTermCommitted;",
    attack: GROUP,
  },
  {
    name: "change-before-own-term",
    mistake: "A new leader changes members before it has committed anything of its own term (Ongaro, 2015).",
    file: "src/raft/membership.ts",
    text: "const isSettled = replica.isTermCommitted && replica.history.currentIndex <= replica.commit;",
    replacement: "const isSettled = replica.history.currentIndex <= replica.commit;",
    attack: GROUP,
  },
  {
    name: "truncated-configuration-stays",
    mistake: "When entries are replaced by another leader's, a configuration among them stays in effect.",
    file: "src/raft/replica.ts",
    text: "if (this.history.truncateFrom(index)) this.#applyConfiguration();",
    replacement: "this.history.truncateFrom(index);",
    attack: GROUP,
  },
  {
    name: "learners-count",
    mistake: "A learner counts in majorities like a voter.",
    file: "src/raft/members.ts",
    text: "this.#incoming = among(configuration.voters);",
    replacement: "this.#incoming = among([...configuration.voters, ...configuration.learners]);",
    attack: GROUP,
  },
];

const LEASES: readonly Mutant[] = [
  {
    name: "lease-without-bound",
    mistake: "A leader that was confirmed once answers reads without asking from then on.",
    file: "src/raft/reads.ts",
    text: "return ticks - reads.leaseTick < leaseTicks(options);",
    replacement: "return ticks >= reads.leaseTick && reads.leaseTick !== NO_LEASE;",
    attack: GROUP_LEASE,
  },
  {
    name: "lease-from-the-answer",
    mistake: "A lease is counted from when it was confirmed, not from when it was asked for.",
    file: "src/raft/reads.ts",
    text: "reads.leaseTick = reads.roundTick;",
    replacement: "reads.leaseTick = replica.ticks;",
    attack: GROUP_LEASE,
  },
  {
    name: "lease-after-transfer",
    mistake: "A leader that hands over goes on to answer by its lease, though its successor need not wait.",
    file: "src/raft/transfer.ts",
    text: "  forbidLease(replica.reads);\n",
    replacement: "",
    attack: GROUP_LEASE,
  },
  {
    name: "lease-forgotten-on-restart",
    mistake: "A restarted voter votes at once, though before it died it has promised a leader to wait.",
    file: "src/raft/raft.ts",
    text: 'if (options.readMode === "lease" && this.#replica.term > 0) {',
    replacement: 'if (options.readMode === "lease" && this.#replica.term === 0) {',
    attack: GROUP_LEASE,
  },
];

export const RAFT_MUTANTS: readonly Mutant[] = [
  ...ELECTIONS,
  ...REPLICATION,
  ...READS,
  ...MEMBERS,
  ...LEASES,
];
