/**
 * The next segment's file, made ahead of need: zeros, made durable piece by piece, so that a unit written
 * over them changes no metadata and its write is one trip to the disk.
 *
 * The work is paced by the appends (`advance`), twice as fast as they go, and never waited for: a spare that
 * is needed before it is complete is used as far as it has come. When the disk is full it comes no further for
 * now: the segment in use has room left, and space may be freed before that is used up. What failed to be made is
 * written over as a whole when it is tried again.
 */
import { allocBytes, type Bytes } from "../../core/bytes.js";
import type { Disk, DiskFile } from "../../ports/disk.js";
import { isDiskFull, onDisk } from "./failures.js";
import { segmentName } from "./format.js";

const PIECE_BYTES = 1024 * 1024;
const ZEROS_BYTES = 128 * 1024;

export interface SparePlan {
  readonly disk: Disk;
  readonly directory: string;
  readonly segment: number;
  /** How large it is to become. */
  readonly targetBytes: number;
  readonly onError: (error: unknown) => void;
  /** The disk is full; the making goes on later. Undefined for a segment that is needed now: then it is an error. */
  readonly onFull: ((path: string) => void) | undefined;
}

export class SpareSegment {
  readonly segment: number;
  readonly path: string;
  readonly targetBytes: number;
  readonly #onError: (error: unknown) => void;
  readonly #onFull: SparePlan["onFull"];
  readonly #created: Promise<DiskFile>;
  readonly #zeros: Bytes;
  #wantedBytes = 0;
  /** After the disk was full: not tried again before so much is wanted. */
  #pausedBelowBytes = 0;
  /** Zeros written, and being written. */
  #madeBytes = 0;
  #frozen = false;
  #filling: Promise<void> | undefined;

  /**
   * Starts making the file, after the one of `before`: a crash must not leave a gap in their numbers. `onError`
   * gets what fails in the background; `ready` rejects with it too.
   */
  constructor(plan: SparePlan, before: SpareSegment | undefined) {
    this.segment = plan.segment;
    this.path = `${plan.directory}/${segmentName(plan.segment)}`;
    this.targetBytes = plan.targetBytes;
    this.#onError = plan.onError;
    this.#onFull = plan.onFull;
    this.#zeros = allocBytes(Math.min(ZEROS_BYTES, plan.targetBytes));
    this.#created = onDisk(
      "make",
      this.path,
      createDurably(plan, this.path, before === undefined ? undefined : before.#created),
    );
    this.#created.catch(this.#onError);
  }

  /** Zeros are to reach `bytes` at least, as far as `targetBytes`. */
  advance(bytes: number): void {
    this.#wantedBytes = Math.max(this.#wantedBytes, Math.min(bytes, this.targetBytes));
    if (this.#wantedBytes < this.#pausedBelowBytes) return;
    if (this.#filling !== undefined || this.#frozen || this.#madeBytes >= this.#wantedBytes) return;
    this.#filling = this.#fill();
    this.#filling.catch(this.#onError);
  }

  /** Ends the making, after the piece under way; returns the size that the file then has. */
  freeze(): number {
    this.#pausedBelowBytes = 0;
    if (this.#madeBytes === 0) this.advance(1);
    this.#frozen = true;
    return this.#madeBytes;
  }

  /** After `freeze`: the file, all its zeros durable. Its writes are durable when they return. */
  async ready(): Promise<DiskFile> {
    await this.#filling;
    return this.#created;
  }

  /** Waits for what is under way, then closes the file. */
  async close(): Promise<void> {
    this.#frozen = true;
    const file = await this.ready();
    await onDisk("close", this.path, file.close());
  }

  async #fill(): Promise<void> {
    // Counted before the first wait: `freeze` must know the piece under way.
    let piece = this.#takePiece();
    const file = await this.#created;
    while (piece !== undefined) {
      try {
        await onDisk("make", this.path, file.write(piece.parts, piece.positionBytes));
      } catch (error) {
        // What `freeze` has counted must be there.
        if (this.#frozen || this.#onFull === undefined || !isDiskFull(error)) throw error;
        this.#madeBytes = piece.positionBytes;
        this.#pausedBelowBytes = this.#wantedBytes + PIECE_BYTES;
        this.#onFull(this.path);
        break;
      }
      piece = this.#frozen ? undefined : this.#takePiece();
    }
    this.#filling = undefined;
  }

  #takePiece(): { parts: Uint8Array[]; positionBytes: number } | undefined {
    if (this.#madeBytes >= this.#wantedBytes) return undefined;
    const positionBytes = this.#madeBytes;
    const parts: Uint8Array[] = [];
    let left = Math.min(PIECE_BYTES, this.targetBytes - positionBytes);
    this.#madeBytes += left;
    for (; left > 0; left -= this.#zeros.length) parts.push(this.#zeros.subarray(0, left));
    return { parts, positionBytes };
  }
}

async function createDurably(
  { disk, directory }: SparePlan,
  path: string,
  before: Promise<unknown> | undefined,
): Promise<DiskFile> {
  await before;
  const file = await disk.open(path, { create: true, durable: true });
  await disk.syncDirectory(directory);
  return file;
}
