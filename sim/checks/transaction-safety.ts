/**
 * What partitions do with transactions, seen on every replica at the moment when it applies it: no partition carries
 * out what another undoes, and none forgets a commit that a participant does not have.
 */
import type { GroupId, NodeId } from "../../src/core/ids.js";
import type { ReplicaGroup } from "../../src/node/replica-group.js";
import type { Prepared, TransactionId } from "../../src/node/transactions.js";
import type { Report } from "./violation.js";

type End = "carried out" | "undone";

/** A transaction, as the participants know it that have voted for it. */
interface Known {
  readonly participants: readonly GroupId[];
  /** One that only reads may be undone here and ended as done there: that is the same. */
  hasWrites: boolean;
  readonly ends: Map<GroupId, End>;
}

export class TransactionSafety {
  readonly #report: Report;
  readonly #known = new Map<TransactionId, Known>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** Watches what a replica does with its share of transactions. A restart does it again, and does the same. */
  observe(node: NodeId, replica: Pick<ReplicaGroup, "id" | "machine">): void {
    const { id: group } = replica;
    const { transactions } = replica.machine;
    const prepare = transactions.prepare.bind(transactions);
    const commit = transactions.commit.bind(transactions);
    const abort = transactions.abort.bind(transactions);
    const forget = transactions.forget.bind(transactions);
    const isHeld = (id: TransactionId) => transactions.prepared(id) !== undefined;
    transactions.prepare = (transaction) => {
      this.#onPrepared(transaction);
      prepare(transaction);
    };
    transactions.commit = (id) => {
      if (isHeld(id)) this.#onEnd(node, group, id, "carried out");
      return commit(id);
    };
    transactions.abort = (id) => {
      if (isHeld(id)) this.#onEnd(node, group, id, "undone");
      abort(id);
    };
    transactions.forget = (id) => {
      if (transactions.isCommitted(id)) this.#onForgotten(node, group, id);
      forget(id);
    };
  }

  #onPrepared({ id, participants, writes }: Prepared): void {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = { participants, hasWrites: false, ends: new Map() };
      this.#known.set(id, known);
    }
    known.hasWrites ||= writes.length > 0;
  }

  #onEnd(node: NodeId, group: GroupId, id: TransactionId, end: End): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    known.ends.set(group, end);
    if (!known.hasWrites) return;
    for (const [other, otherEnd] of known.ends) {
      if (otherEnd === end) continue;
      const text = `${node}: transaction ${id} is ${end} in group ${group}, and was ${otherEnd} in group ${other}`;
      this.#report("transactions are all or nothing", text);
    }
  }

  #onForgotten(node: NodeId, group: GroupId, id: TransactionId): void {
    const known = this.#known.get(id);
    if (known === undefined || !known.hasWrites) return;
    for (const other of known.participants) {
      if (known.ends.get(other) === "carried out") continue;
      const text = `${node}: group ${group} forgets transaction ${id}, which group ${other} has not carried out`;
      this.#report("a commit is remembered until all have it", text);
    }
  }
}
