/**
 * Takes in a snapshot piece by piece, beside the live state, and replaces that state in one step at the end.
 *
 * Until then this replica is as it was: a crash half-way, or a new leader with another snapshot, loses nothing
 * that this replica has acknowledged.
 */
import { ByteReader } from "../codec/byte-reader.js";
import type { SnapshotMeta } from "../codec/raft-types.js";
import { logIndex, term } from "../core/ids.js";
import type { AppliedState, GroupInstall } from "../ports/storage-engine.js";
import type { SnapshotWrite } from "../raft/types.js";
import type { GroupHost, ReplicaGroup } from "./replica-group.js";

interface Receipt {
  readonly meta: SnapshotMeta;
  readonly install: GroupInstall;
  readonly applied: AppliedState;
  storedBytes: number;
  isCommitting: boolean;
}

export class SnapshotReceiver {
  readonly #group: ReplicaGroup;
  readonly #host: GroupHost;
  #receipt: Receipt | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(group: ReplicaGroup, host: GroupHost) {
    this.#group = group;
    this.#host = host;
  }

  get isActive(): boolean {
    return this.#receipt !== undefined && !this.#isOvertaken(this.#receipt);
  }

  /** Pieces are stored one after the other, in the order received. */
  write(piece: SnapshotWrite): void {
    this.#enqueue(async () => await this.#store(piece));
  }

  /** The state machine has come further: perhaps as far as the snapshot, which nobody sends on then. */
  onApplied(): void {
    if (this.#receipt === undefined || !this.#isOvertaken(this.#receipt)) return;
    this.#enqueue(async () => {
      if (this.#receipt !== undefined && this.#isOvertaken(this.#receipt)) await this.#abort();
    });
  }

  /**
   * Before the state is captured: the store may hold what was installed, while this has yet to hear that it is
   * done. The state machine and the store must be of one moment.
   */
  adoptInstalled(): void {
    const receipt = this.#receipt;
    if (receipt?.isCommitting !== true) return;
    if (this.#group.store.durableIndex() === receipt.applied.index)
      this.#group.machine.restore(receipt.applied);
  }

  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      try {
        await work();
      } catch (error) {
        this.#host.onDiskFailure(error);
      }
      this.#host.wake(this.#group);
    });
  }

  #isOvertaken({ meta, isCommitting }: Receipt): boolean {
    return !isCommitting && meta.index <= this.#group.machine.appliedIndex;
  }

  async close(): Promise<void> {
    await this.#queue;
    await this.#abort();
  }

  async #store(piece: SnapshotWrite): Promise<void> {
    const { core } = this.#group;
    if (piece.offsetBytes === 0) await this.#begin(piece);
    const receipt = this.#receipt;
    if (
      receipt === undefined ||
      receipt.meta.index !== piece.meta.index ||
      receipt.meta.term !== piece.meta.term ||
      receipt.storedBytes !== piece.offsetBytes
    ) {
      // Out of step with the sender: say where this replica is.
      core.snapshotStored(piece.meta, receipt?.storedBytes ?? 0, false);
      return;
    }
    if (piece.offsetBytes > 0 && piece.data.length > 0) await receipt.install.write(piece.data);
    receipt.storedBytes += piece.data.length;
    if (piece.done) {
      if (this.#isOvertaken(receipt)) {
        // The log has brought this replica further than the snapshot would.
        await this.#abort();
        core.snapshotRejected(piece.meta);
        return;
      }
      receipt.isCommitting = true;
      await receipt.install.commit(receipt.applied);
      this.#receipt = undefined;
      this.#group.machine.restore(receipt.applied);
      core.snapshotStored(piece.meta, receipt.storedBytes, true);
      this.#group.onInstalled();
      this.#host.logger.info("installed a snapshot", {
        group: this.#group.id,
        index: piece.meta.index,
        bytes: receipt.storedBytes,
      });
      return;
    }
    core.snapshotStored(piece.meta, receipt.storedBytes, false);
  }

  async #begin(piece: SnapshotWrite): Promise<void> {
    await this.#abort();
    const reader = new ByteReader(piece.data, "snapshot");
    const applied: AppliedState = {
      index: logIndex(reader.varint()),
      term: term(reader.varint()),
      state: reader.blob(),
    };
    reader.expectEnd();
    const install = this.#group.store.beginInstall();
    this.#receipt = { meta: piece.meta, install, applied, storedBytes: 0, isCommitting: false };
  }

  async #abort(): Promise<void> {
    const receipt = this.#receipt;
    this.#receipt = undefined;
    if (receipt !== undefined) await receipt.install.abort();
  }
}
