/**
 * Takes in a snapshot piece by piece, beside the live state, and replaces that state in one step at the end.
 *
 * Until then this replica is as it was: a crash half-way, or a new leader with another snapshot, loses nothing
 * that this replica has acknowledged. Nor does a piece that is not what a leader would send: it ends the transfer,
 * which the leader begins anew. Only the disk's own failures stop the node.
 */
import { ByteReader } from "../codec/byte-reader.js";
import { encodeConfiguration } from "../codec/raft-entry.js";
import type { SnapshotMeta } from "../codec/raft-types.js";
import { crc32c } from "../core/crc32c.js";
import { MinikeyError } from "../core/errors.js";
import { logIndex, term } from "../core/ids.js";
import type { AppliedState, GroupInstall } from "../ports/storage-engine.js";
import type { SnapshotWrite } from "../raft/types.js";
import { checkState } from "./partition-machine.js";
import type { GroupHost, ReplicaGroup } from "./replica-group.js";
import { CHECKSUM_BYTES } from "./snapshot-sender.js";

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
    if (piece.offsetBytes === 0 && !(await this.#begin(piece))) return;
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
    if (piece.offsetBytes > 0 && piece.data.length > 0) {
      const problem = await problemOf(async () => await receipt.install.write(piece.data));
      if (problem !== undefined) return await this.#refuse(piece, problem);
    }
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

  /** False when the piece, the state beside the tables, is not what its description says. */
  async #begin(piece: SnapshotWrite): Promise<boolean> {
    await this.#abort();
    let applied: AppliedState | undefined;
    const problem = await problemOf(() => {
      applied = readFirstPiece(piece);
    });
    if (applied === undefined) {
      await this.#refuse(piece, problem ?? "");
      return false;
    }
    const install = this.#group.store.beginInstall();
    this.#receipt = { meta: piece.meta, install, applied, storedBytes: 0, isCommitting: false };
    return true;
  }

  async #refuse(piece: SnapshotWrite, problem: string): Promise<void> {
    await this.#abort();
    this.#group.core.snapshotRejected(piece.meta);
    this.#host.logger.warn("a piece of a snapshot cannot be used", {
      group: this.#group.id,
      from: piece.from,
      offset: piece.offsetBytes,
      problem,
    });
  }

  async #abort(): Promise<void> {
    const receipt = this.#receipt;
    this.#receipt = undefined;
    if (receipt !== undefined) await receipt.install.abort();
  }
}

/** What is wrong with bytes that another node sent; rejects with what is wrong with this one. */
async function problemOf(read: () => Promise<void> | void): Promise<string | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    const isSenders =
      error instanceof MinikeyError && ["PROTOCOL", "DATA_CORRUPT", "DATA_NEWER"].includes(error.code);
    if (!isSenders) throw error;
    return error.message;
  }
}

/** Throws `MinikeyError` for bytes that this replica could not go on from. */
function readFirstPiece({ meta, data, done }: SnapshotWrite): AppliedState {
  const reader = new ByteReader(data, "snapshot");
  if (reader.u32() !== crc32c(data, CHECKSUM_BYTES)) throw reader.error("its checksum does not match", 0);
  const index = logIndex(reader.varint());
  const applied: AppliedState = { index, term: term(reader.varint()), state: reader.blob() };
  reader.expectEnd();
  if (applied.index !== meta.index || applied.term !== meta.term) {
    throw reader.error(`the state at ${applied.index}, not ${meta.index}`, 0);
  }
  if (done) throw reader.error("a snapshot of one piece", 0);
  const configuration = checkState(applied);
  if (!encodeConfiguration(configuration).equals(encodeConfiguration(meta.configuration))) {
    throw reader.error("other members than its description names", 0);
  }
  return applied;
}
