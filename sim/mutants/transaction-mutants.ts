/** Mistakes in what goes over several partitions: transactions, and reads of one moment. */
import type { Attack, Mutant } from "./mutant.js";

/** Commands over several partitions alone. */
const MANY: Attack = { scenario: "transactions", options: { partitions: 4 }, seedsMax: 400 };
/** What takes several steps, by nodes that cannot hear each other for long. */
const FAR: Attack = { scenario: "far", seedsMax: 200 };
/** And these alone, mostly through nodes that hold nothing of what they are asked for. */
const FAR_BUNDLES: Attack = {
  scenario: "far",
  options: { nodes: 5, replicas: 3, workloads: ["bundles"] },
  seedsMax: 200,
};
/** All die in the middle of them, and what others finish reaches some long before the rest. */
const BLACKOUT: Attack = { scenario: "blackout", seedsMax: 200 };
/** Keys that come and go, in histories that are short enough to be told soon. */
const SHORT: Attack = {
  scenario: "any",
  options: { partitions: 4, workloads: ["queries"], durationMs: 3_000 },
  seedsMax: 400,
};

const TRANSACTIONS: readonly Mutant[] = [
  {
    name: "commit-before-all-prepared",
    mistake: "A transaction is committed when the first partition has voted yes.",
    file: "src/node/transaction-runner.ts",
    text: 'if (votes.every((vote) => vote === "PREPARED")) return await this.#carryOut(id, parts, level, deadlineMs);',
    replacement:
      'if (votes.some((vote) => vote === "PREPARED")) return await this.#carryOut(id, parts, level, deadlineMs);',
    attack: MANY,
  },
  {
    name: "locks-forgotten-on-restart",
    mistake: "What was prepared is restored from a checkpoint, but not the locks that go with it.",
    file: "src/node/transactions.ts",
    text: "this.prepare({ id, participants, locked, writes });",
    replacement: "this.#prepared.set(id, { id, participants, locked, writes });",
    attack: MANY,
  },
  {
    name: "prepare-without-versions",
    mistake:
      "A partition votes yes when the keys are free, also when they have changed since they were read.",
    file: "src/node/node-commands.ts",
    text: `      if (version !== -1 && (view.get(key)?.version ?? 0) !== version) return "CONFLICT";\n`,
    replacement: "",
    attack: MANY,
  },
  {
    name: "write-past-locks",
    mistake: "A write does not look whether a transaction holds its key.",
    file: "src/node/partition-machine.ts",
    text: "      if (this.transactions.blocks(spec, args)) return false;\n",
    replacement: "",
    attack: MANY,
  },
  {
    name: "read-past-locks",
    mistake:
      "A read shows a locked key as it was before the transaction, which may be carried out elsewhere.",
    file: "src/node/partition-reader.ts",
    text: "if (machine.transactions.blocks(spec, this.#args)) {",
    replacement: "if (machine.transactions.blocks(spec, this.#args) && batch.isPurged) {",
    attack: MANY,
  },
];

const RECOVERY: readonly Mutant[] = [
  {
    name: "silence-is-no",
    mistake:
      "Who finishes an abandoned transaction takes a partition that does not answer for one that votes no.",
    file: "src/node/transaction-runner.ts",
    text: "    if (votes.includes(undefined)) return false;\n",
    replacement: "",
    attack: FAR,
  },
  {
    name: "silence-is-refusal",
    mistake: "A coordinator that cannot find out how the partitions voted says that nothing was done.",
    file: "src/node/transaction-runner.ts",
    text: `    if (!votes.includes("ABORTED")) throw unknownOutcome();\n`,
    replacement: "",
    attack: FAR,
  },
  {
    name: "forgotten-before-all-know",
    mistake: "A commit is forgotten when all participants were told, also when not all have confirmed it.",
    file: "src/node/transaction-runner.ts",
    text: "if (isTold) this.#send(TXN_FORGET, id, parts);",
    replacement: "this.#send(TXN_FORGET, id, parts);",
    attack: FAR,
  },
  {
    name: "finished-before-all-know",
    mistake:
      "Who finishes an abandoned transaction forgets its commit when all were told, also when not all have confirmed it.",
    file: "src/node/transaction-runner.ts",
    text: "    if (!isTold || !isCommitted) return isTold;\n",
    replacement: "    if (!isCommitted) return isTold;\n",
    attack: BLACKOUT,
  },
  {
    name: "no-without-fence",
    mistake: "A partition that has voted no votes yes when the coordinator's own question comes late.",
    file: "src/node/node-commands.ts",
    text: "    transactions.fence(id);\n",
    replacement: "",
    attack: FAR,
  },
  {
    name: "forgotten-is-no",
    mistake: "A partition that cannot know any more whether it has voted yes says that it has not.",
    file: "src/node/node-commands.ts",
    text: 'if (transactions.fenceOf(id) !== undefined) return "FORGOTTEN";',
    replacement: 'if (transactions.fenceOf(id) !== undefined) return "ABORTED";',
    attack: FAR_BUNDLES,
  },
  {
    name: "forgotten-without-fence",
    mistake: "What another has finished is forgotten, and its coordinator told later that it was never done.",
    file: "src/node/node-commands.ts",
    text: "    if (args.count > 2) machine.transactions.fence(args.key(1));\n",
    replacement: "",
    attack: FAR_BUNDLES,
  },
];

const ONE_MOMENT: readonly Mutant[] = [
  {
    name: "own-reads-past-locks",
    mistake: "What is read on this node's own replicas is shown although a transaction holds it.",
    file: "src/node/own-reads.ts",
    text: "  if (place.hasLocks && place.replica.machine.transactions.holderOf(key) !== undefined) return NOT_HERE;\n",
    replacement: "",
    attack: MANY,
  },
  {
    name: "absent-is-absent",
    mistake: "A key that is not there now is taken for one that was not there at the moment of the read.",
    file: "src/node/own-reads.ts",
    text: "if (entry === undefined) return partitions === 1 || view.isAbsentSince(key, floor) ? undefined : NOT_HERE;",
    replacement: "if (entry === undefined) return undefined;",
    attack: SHORT,
  },
  {
    name: "reads-side-by-side",
    mistake:
      "What replicas here hold is shown together, also when a part of it has changed since the read came.",
    file: "src/node/own-reads.ts",
    text: "return partitions === 1 || entry.version <= floor ? entry : NOT_HERE;",
    replacement: "return entry;",
    attack: MANY,
  },
  {
    name: "unchanged-since-the-answer",
    mistake:
      "A partition's values are taken for unchanged since its own answer, not since before the question.",
    file: "src/node/snapshot-reads.ts",
    text: "const changed = this.#parts.filter((part) => part !== held && part.changedAt > part.floor);",
    replacement:
      "const changed = this.#parts.filter((part) => part !== held && part.changedAt > part.revision);",
    attack: MANY,
  },
  {
    name: "deletes-not-noted",
    mistake: "A key that is not there is taken for one that never was: nobody notes when it was deleted.",
    file: "src/node/store-view.ts",
    text: `    this.#deletedAt[deleteSetOf(key)] = this.#revision;
    this.#deletedLast = this.#revision;
    return existed;`,
    replacement: "    return existed;",
    attack: SHORT,
  },
];

export const TRANSACTION_MUTANTS: readonly Mutant[] = [...TRANSACTIONS, ...RECOVERY, ...ONE_MOMENT];
