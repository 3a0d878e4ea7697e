/**
 * Reads pieces of this replica's state for followers that are too far behind for the log.
 *
 * The first piece is the state beside the tables (`AppliedState`); the others come from the store's snapshot.
 * One snapshot a follower; a follower that asks for the last piece again gets the same bytes.
 */
import { ByteWriter } from "../codec/byte-writer.js";
import type { SnapshotMeta } from "../codec/raft-types.js";
import type { Bytes } from "../core/bytes.js";
import { EMPTY_BYTES } from "../core/bytes.js";
import type { ReplicaId } from "../core/ids.js";
import type { AppliedState, GroupSnapshot } from "../ports/storage-engine.js";
import type { SnapshotRead } from "../raft/types.js";
import { configurationOf } from "./partition-machine.js";
import type { GroupHost, ReplicaGroup } from "./replica-group.js";

const PIECE_BYTES = 256 * 1024;

interface Transfer {
  readonly snapshot: GroupSnapshot;
  readonly meta: SnapshotMeta;
  /** The piece sent last, and where it starts. */
  piece: Bytes;
  offsetBytes: number;
  done: boolean;
}

export class SnapshotSender {
  readonly #group: ReplicaGroup;
  readonly #host: GroupHost;
  readonly #transfers = new Map<ReplicaId, Transfer>();
  readonly #busy = new Set<ReplicaId>();
  #isClosed = false;

  constructor(group: ReplicaGroup, host: GroupHost) {
    this.#group = group;
    this.#host = host;
  }

  read(request: SnapshotRead): void {
    if (this.#busy.has(request.to)) return;
    this.#busy.add(request.to);
    this.#answer(request)
      .catch((error: unknown) => {
        this.#host.logger.warn("a snapshot could not be read", {
          group: this.#group.id,
          error: String(error),
        });
        this.#drop(request.to);
        this.#group.core.snapshotFailed(request.to);
      })
      .finally(() => {
        this.#busy.delete(request.to);
        this.#host.wake(this.#group);
      });
  }

  /** Lets go of transfers to members that no longer wait for one. */
  sweep(): void {
    if (this.#transfers.size === 0) return;
    const { progress } = this.#group.core.status();
    for (const to of [...this.#transfers.keys()]) {
      const isWaiting = progress.some((member) => member.id === to && member.state === "snapshot");
      if (!isWaiting && !this.#busy.has(to)) this.#drop(to);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const to of [...this.#transfers.keys()]) this.#drop(to);
  }

  async #answer(request: SnapshotRead): Promise<void> {
    const { to, offsetBytes } = request;
    let transfer = this.#transfers.get(to);
    if (offsetBytes === 0) {
      if (transfer === undefined || transfer.offsetBytes !== 0) transfer = await this.#begin(to);
    } else if (transfer === undefined) {
      throw new Error(`no snapshot is under way to ${to}`);
    } else if (offsetBytes === transfer.offsetBytes + transfer.piece.length && !transfer.done) {
      const next = await transfer.snapshot.next(PIECE_BYTES);
      transfer.piece = next ?? EMPTY_BYTES;
      transfer.done = next === undefined;
      transfer.offsetBytes = offsetBytes;
    } else if (offsetBytes !== transfer.offsetBytes) {
      throw new Error(`piece at ${offsetBytes} asked for, piece at ${transfer.offsetBytes} sent last`);
    }
    if (this.#isClosed) return;
    this.#group.core.snapshotPiece(to, transfer.meta, transfer.offsetBytes, transfer.piece, transfer.done);
    if (transfer.done) this.#drop(to);
  }

  async #begin(to: ReplicaId): Promise<Transfer> {
    this.#drop(to);
    const snapshot = await this.#group.store.snapshot();
    const { applied } = snapshot;
    const transfer: Transfer = {
      snapshot,
      meta: {
        index: applied.index,
        term: applied.term,
        // Who takes part may have changed since; a snapshot carries the members as of its own index.
        configuration: configurationOf(applied),
      },
      piece: encodeFirstPiece(applied),
      offsetBytes: 0,
      done: false,
    };
    this.#transfers.set(to, transfer);
    return transfer;
  }

  #drop(to: ReplicaId): void {
    this.#transfers.get(to)?.snapshot.release();
    this.#transfers.delete(to);
  }
}

function encodeFirstPiece(applied: AppliedState): Bytes {
  const writer = new ByteWriter(applied.state.length + 32);
  writer.varint(applied.index);
  writer.varint(applied.term);
  writer.blob(applied.state);
  return writer.toBytes();
}
