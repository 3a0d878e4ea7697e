/**
 * Reads pieces of this replica's state for followers that are too far behind for the log.
 *
 * The first piece is the state beside the tables (`AppliedState`), after its CRC-32C as in the others, which come
 * from the store's snapshot. One snapshot a follower; a follower that asks for the last piece again gets the same
 * bytes.
 *
 * Whoever has a snapshot needs the log behind it: else the next one is due before the first is installed, and so
 * on for ever, when writes go on. So the log is kept from there on (`sentTo`) until the follower has come as far
 * as others are served from the log, within bounds that the group sets. Past them the snapshot is given up for a
 * newer one.
 */
import { ByteWriter } from "../codec/byte-writer.js";
import type { SnapshotMeta } from "../codec/raft-types.js";
import type { Bytes } from "../core/bytes.js";
import { EMPTY_BYTES } from "../core/bytes.js";
import { crc32c } from "../core/crc32c.js";
import { type LogIndex, logIndex, type ReplicaId } from "../core/ids.js";
import type { AppliedState, GroupSnapshot } from "../ports/storage-engine.js";
import type { SnapshotRead } from "../raft/types.js";
import { configurationOf } from "./partition-machine.js";
import type { GroupHost, ReplicaGroup } from "./replica-group.js";

/** One piece is under way at a time: large, so that a busy event loop's turns do not set the pace. */
const PIECE_BYTES = 1024 * 1024;
/** The log kept for a member may double with each snapshot that was outrun, so often. */
const DOUBLINGS_MAX = 2;
/** At the start of each piece. */
export const CHECKSUM_BYTES = 4;

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
  /** Where the latest snapshot of each member ends that gets one, or has had one and catches up. */
  readonly #sent = new Map<ReplicaId, LogIndex>();
  /** How many snapshots of a member in a row have been outrun by writes. */
  readonly #outrun = new Map<ReplicaId, number>();
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

  /** Whether a member needs the log behind a snapshot. */
  get isNeeded(): boolean {
    return this.#sent.size > 0;
  }

  /**
   * Behind which entry a member that gets a snapshot needs the log, when it has acknowledged `match`; undefined
   * for one that gets none, or has come as far as `upTo`.
   */
  sentTo(to: ReplicaId, match: LogIndex, upTo: LogIndex): LogIndex | undefined {
    const sent = this.#sent.get(to);
    if (sent === undefined) return undefined;
    if (match < upTo) return logIndex(Math.max(sent, match));
    this.#forget(to);
    return undefined;
  }

  /** How much of the log is kept for a member, when it is `bytesMax` for the first snapshot. */
  logBytesMax(to: ReplicaId, bytesMax: number): number {
    return bytesMax * 2 ** Math.min(DOUBLINGS_MAX, this.#outrun.get(to) ?? 0);
  }

  /** The log behind a member's snapshot has grown too long to be kept: the member gets another snapshot. */
  giveUp(to: ReplicaId, lackedBytes: number): void {
    this.#sent.delete(to);
    this.#outrun.set(to, (this.#outrun.get(to) ?? 0) + 1);
    this.#host.logger.warn("writes have outrun a snapshot: it is sent anew", {
      group: this.#group.id,
      to,
      lackedBytes,
    });
    // There is no next piece then, and the transfer begins anew. A piece that is being read is dropped when it is there.
    if (!this.#busy.has(to)) this.#drop(to);
  }

  /** Lets go of transfers to members that no longer wait for one, and of what only a leader, or a member, needs. */
  sweep(): void {
    if (this.#transfers.size === 0 && this.#sent.size === 0) return;
    const { progress } = this.#group.core.status();
    for (const to of [...this.#transfers.keys()]) {
      const isWaiting = progress.some((member) => member.id === to && member.state === "snapshot");
      if (!isWaiting && !this.#busy.has(to)) this.#drop(to);
    }
    for (const to of [...this.#sent.keys()]) {
      if (!progress.some((member) => member.id === to)) this.#forget(to);
    }
  }

  #forget(to: ReplicaId): void {
    this.#sent.delete(to);
    this.#outrun.delete(to);
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
      this.#group.core.snapshotFailed(to);
      return;
    } else if (offsetBytes === transfer.offsetBytes + transfer.piece.length && !transfer.done) {
      const next = await transfer.snapshot.next(PIECE_BYTES);
      transfer.piece = next ?? EMPTY_BYTES;
      transfer.done = next === undefined;
      transfer.offsetBytes = offsetBytes;
    } else if (offsetBytes !== transfer.offsetBytes) {
      throw new Error(`piece at ${offsetBytes} asked for, piece at ${transfer.offsetBytes} sent last`);
    }
    if (this.#isClosed) return;
    if (!this.#sent.has(to)) {
      // Given up while the piece was read.
      this.#drop(to);
      this.#group.core.snapshotFailed(to);
      return;
    }
    this.#group.core.snapshotPiece(to, transfer.meta, transfer.offsetBytes, transfer.piece, transfer.done);
    if (transfer.done) this.#drop(to);
  }

  async #begin(to: ReplicaId): Promise<Transfer> {
    this.#drop(to);
    // The snapshot will be of this moment or later.
    this.#sent.set(to, this.#group.machine.appliedIndex);
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
    this.#sent.set(to, applied.index);
    this.#host.logger.info("sending a snapshot", { group: this.#group.id, to, index: applied.index });
    return transfer;
  }

  #drop(to: ReplicaId): void {
    this.#transfers.get(to)?.snapshot.release();
    this.#transfers.delete(to);
  }
}

/** The state beside the tables, as a snapshot begins. */
export function encodeFirstPiece(applied: AppliedState): Bytes {
  const writer = new ByteWriter(applied.state.length + 32);
  writer.u32(0);
  writer.varint(applied.index);
  writer.varint(applied.term);
  writer.blob(applied.state);
  const piece = writer.toBytes();
  piece.writeUInt32LE(crc32c(piece, CHECKSUM_BYTES), 0);
  return piece;
}
