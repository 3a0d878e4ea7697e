/**
 * The write-ahead log: appends are encoded as they come, and written one unit at a time.
 *
 *   append ──► filling batch ──take──► writing ──durable──► callbacks, in order
 *                   ▲                     │
 *                   └── the other batch ◄─┘     two batches, used in turn
 *
 * Invariants:
 *   - One write is under way at most, and a unit is written only after the one before it is durable; recovery
 *     rests on that (`log-end.ts`).
 *   - When a batch begins, all earlier appends are in the ledger and none of its own: where the batch starts a
 *     segment, the opening unit restates exactly that moment.
 *   - A segment is removed when no entry in it counts any more, and the records that say so are durable.
 *   - After the first failure nothing is written, acknowledged or tried again (Rebello et al., "Can Applications
 *     Recover from fsync Failures?", 2020: the page cache no longer says what the disk holds).
 */
import type { SnapshotMeta } from "../../codec/raft-types.js";
import { assert } from "../../core/assert.js";
import { allocBytes } from "../../core/bytes.js";
import type { MinikeyError } from "../../core/errors.js";
import type { GroupId } from "../../core/ids.js";
import type { CancelTimer } from "../../ports/clock.js";
import type { Disk, DiskFile } from "../../ports/disk.js";
import { diskFailed, onDisk } from "./failures.js";
import { BLOCK_BYTES, FORMAT_VERSION, roundUpToBlock, writeSegmentHeader } from "./format.js";
import type { Ledger } from "./ledger.js";
import { SpareSegment } from "./spare-segment.js";
import type { LogAppend, LogOptions, WriteAheadLog } from "./types.js";
import { Unit } from "./unit.js";

const SEGMENT_BYTES_DEFAULT = 64 * 1024 * 1024;
/** The first segment's size; each is twice the one before, up to the maximum. A small log stays small. */
const FIRST_SEGMENT_BYTES = 4 * 1024 * 1024;
const BATCH_BYTES = 64 * 1024;
const OPENING_BYTES = 4 * 1024;
const SEAL_AFTER_MS = 1000;

/** What a log goes on from: recovered, or new. */
export interface LogStart {
  readonly disk: Disk;
  readonly directory: string;
  readonly options: LogOptions;
  readonly logId: number;
  readonly ledger: Ledger;
  readonly nextSequence: number;
  /** The segments that exist, oldest first. */
  readonly segments: readonly LiveSegment[];
}

/** A segment in use. */
export interface LiveSegment {
  readonly segment: number;
  readonly path: string;
  usedBytes: number;
}

/** A segment that a batch begins: its file, and the opening unit. */
interface Opening {
  readonly spare: SpareSegment;
  readonly madeBytes: number;
  readonly unit: Unit;
  readonly sequence: number;
}

/** Appends that are written together, and where. */
interface Batch {
  readonly unit: Unit;
  callbacks: (() => void)[];
  opening: Opening | undefined;
  segment: number;
  /** Zeros made in that segment. */
  madeBytes: number;
  offsetBytes: number;
  sequence: number;
  /** Once it is durable, segments before this one are not needed. */
  firstNeeded: number;
}

export class SegmentedLog implements WriteAheadLog {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #options: LogOptions;
  readonly #segmentBytesMax: number;
  readonly #logId: number;
  readonly #ledger: Ledger;
  readonly #segments: LiveSegment[];
  readonly #saltBase: number;
  #units = 0;
  #filling: Batch;
  #standby: Batch;
  #spare: SpareSegment;
  #file: DiskFile | undefined;
  #writing: Promise<void> | undefined;
  #removing: Promise<void> | undefined;
  #firstNeeded = 0;
  #started = false;
  #failure: MinikeyError | undefined;
  #closing = false;
  /** The last unit on disk holds records, so that damage to it could not be told from a torn write. */
  #unsealed = false;
  #sealDue = false;
  #wroteLately = false;
  #stopIdleTimer: CancelTimer = () => undefined;

  /** Begins a new segment: durable when this resolves, and the proof that all before it was. */
  static async start(start: LogStart): Promise<SegmentedLog> {
    const log = new SegmentedLog(start);
    const { opening } = log.#filling;
    assert(opening !== undefined, "a started log begins a segment");
    await log.#switchTo(opening);
    // The next segment's file is made in the background; here, too, a failure is the end.
    if (log.#failure !== undefined) throw log.#failure;
    log.#filling.opening = undefined;
    log.#started = true;
    log.#removeNeedless(log.#findFirstNeeded(log.#filling.segment));
    log.#stopIdleTimer =
      start.options.clock?.every(SEAL_AFTER_MS, () => log.#onIdleTick()) ?? (() => undefined);
    return log;
  }

  private constructor(start: LogStart) {
    this.#disk = start.disk;
    this.#directory = start.directory;
    this.#options = start.options;
    this.#segmentBytesMax = roundUpToBlock(start.options.segmentBytes ?? SEGMENT_BYTES_DEFAULT);
    this.#logId = start.logId;
    this.#ledger = start.ledger;
    this.#segments = [...start.segments];
    this.#saltBase = start.options.random.below(2 ** 32);
    this.#filling = newBatch();
    this.#standby = newBatch();
    const segment = (this.#segments.at(-1)?.segment ?? 0) + 1;
    const firstBytes = Math.min(FIRST_SEGMENT_BYTES, this.#segmentBytesMax);
    this.#spare = this.#newSpare(segment, firstBytes, undefined);
    this.#spare.advance(firstBytes);
    this.#beginSegment(this.#filling, start.nextSequence, firstBytes);
  }

  append(append: LogAppend, onDurable: () => void): void {
    if (this.#failure !== undefined) return;
    assert(!this.#closing, "append to a closed log");
    const { group, hardState, entries, snapshot } = append;
    const { unit, callbacks, segment } = this.#filling;
    if (snapshot !== undefined) {
      if (this.#ledger.install(group, snapshot)) unit.addCompacted(group, snapshot);
      else unit.addReplaced(group, snapshot);
    }
    if (entries.length > 0) {
      this.#ledger.append(group, entries, segment);
      unit.addEntries(group, entries);
    }
    if (hardState !== undefined) {
      this.#ledger.setHardState(group, hardState);
      unit.addHardState(group, hardState);
    }
    callbacks.push(onDurable);
  }

  flush(): void {
    if (this.#writing !== undefined || this.#failure !== undefined || !this.#hasWork()) return;
    this.#writing = this.#writeAll();
  }

  compact(group: GroupId, snapshot: SnapshotMeta): void {
    if (this.#failure !== undefined) return;
    if (this.#ledger.compact(group, snapshot)) this.#filling.unit.addCompacted(group, snapshot);
  }

  dropGroup(group: GroupId, onDurable: () => void): void {
    if (this.#failure !== undefined) return;
    this.#ledger.drop(group);
    this.#filling.unit.addDropped(group);
    this.#filling.callbacks.push(onDurable);
  }

  sizeBytes(): number {
    let size = 0;
    for (const segment of this.#segments) size += segment.usedBytes;
    return size;
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#stopIdleTimer();
    await this.#flushAll();
    if (this.#unsealed) {
      this.#sealDue = true;
      await this.#flushAll();
    }
    await this.#removing;
    // A failed log is closed as far as it goes: its failure has been told, and its files end with the process.
    const closing = Promise.all([
      this.#closeFile(),
      this.#spare.close(),
      this.#filling.opening?.spare.close(),
    ]);
    if (this.#failure === undefined) await closing;
    else await closing.catch(() => undefined);
  }

  async #flushAll(): Promise<void> {
    while (this.#writing !== undefined || (this.#failure === undefined && this.#hasWork())) {
      this.flush();
      await this.#writing;
    }
  }

  #hasWork(): boolean {
    return this.#filling.callbacks.length > 0 || this.#filling.unit.records > 0 || this.#sealDue;
  }

  /** Writes batch after batch while there is something to write. */
  async #writeAll(): Promise<void> {
    let durable: (() => void)[] = [];
    for (;;) {
      const batch = this.#hasWork() ? this.#take() : undefined;
      const written = batch === undefined ? undefined : this.#write(batch);
      // While the disk works on the next batch.
      for (const callback of durable) callback();
      durable.length = 0;
      if (batch === undefined) {
        if (this.#hasWork()) continue;
        break;
      }
      try {
        await written;
      } catch (error) {
        this.#fail(error);
        break;
      }
      if (this.#failure !== undefined) break;
      [durable, batch.callbacks] = [batch.callbacks, durable];
      this.#onDurable(batch);
    }
    this.#writing = undefined;
  }

  /** Closes the filling batch and begins the other one behind it. */
  #take(): Batch {
    const batch = this.#filling;
    this.#filling = this.#standby;
    this.#standby = batch;
    this.#sealDue = false;
    batch.firstNeeded = this.#findFirstNeeded(batch.segment);
    const sizeBytes = roundUpToBlock(batch.unit.lengthBytes);
    const end = batch.offsetBytes + sizeBytes;
    // The next unit may be as large: one that crosses the end of the zeros is slower to make durable.
    if (end + sizeBytes > batch.madeBytes)
      this.#beginSegment(this.#filling, batch.sequence + 1, this.#spare.freeze());
    else this.#beginBatch(this.#filling, batch, end);
    return batch;
  }

  #beginBatch(batch: Batch, before: Batch, offsetBytes: number): void {
    batch.unit.begin(this.#nextSalt());
    batch.segment = before.segment;
    batch.madeBytes = before.madeBytes;
    batch.offsetBytes = offsetBytes;
    batch.sequence = before.sequence + 1;
  }

  /** The batch begins the spare segment; another spare is begun. */
  #beginSegment(batch: Batch, sequence: number, madeBytes: number): void {
    const spare = this.#spare;
    const unit = new Unit(OPENING_BYTES);
    unit.begin(this.#nextSalt());
    for (const [group, { hardState, lastIndex, snapshot }] of this.#ledger.groups) {
      unit.addRestated(group, hardState, lastIndex, snapshot);
    }
    batch.opening = { spare, madeBytes, unit, sequence };
    batch.unit.begin(this.#nextSalt());
    batch.segment = spare.segment;
    batch.madeBytes = madeBytes;
    batch.offsetBytes = BLOCK_BYTES + roundUpToBlock(unit.lengthBytes);
    batch.sequence = sequence + 1;
    this.#spare = this.#newSpare(
      spare.segment + 1,
      Math.min(2 * spare.targetBytes, this.#segmentBytesMax),
      spare,
    );
  }

  #newSpare(segment: number, targetBytes: number, before: SpareSegment | undefined): SpareSegment {
    const onError = (error: unknown): void => this.#fail(error);
    return new SpareSegment(
      {
        disk: this.#disk,
        directory: this.#directory,
        segment,
        targetBytes,
        onError,
        onFull: before === undefined ? undefined : (path) => this.#options.onFull?.(path),
      },
      before,
    );
  }

  /** Odd steps through all 2^32 values: no two units of one process have the same salt. */
  #nextSalt(): number {
    this.#units += 1;
    return (this.#saltBase + Math.imul(this.#units, 0x9e3779b1)) >>> 0;
  }

  async #write(batch: Batch): Promise<void> {
    if (batch.opening !== undefined) {
      await this.#switchTo(batch.opening);
      batch.opening = undefined;
    }
    const { segment, sequence, offsetBytes } = batch;
    const bytes = batch.unit.seal({ logId: this.#logId, sequence, segment, offsetBytes });
    const { path } = this.#segments[this.#segments.length - 1];
    await onDisk("write", path, this.#file!.write([bytes], offsetBytes));
  }

  /** Makes the segment's header and opening unit durable; what follows is written there. */
  async #switchTo({ spare, madeBytes, unit, sequence }: Opening): Promise<void> {
    const file = await spare.ready();
    const { segment, path } = spare;
    const header = allocBytes(BLOCK_BYTES);
    writeSegmentHeader({ version: FORMAT_VERSION, segment, logId: this.#logId, madeBytes }, header);
    const bytes = unit.seal({ logId: this.#logId, sequence, segment, offsetBytes: BLOCK_BYTES });
    await onDisk("write", path, file.write([header, bytes], 0));
    this.#finishSegment().catch((error: unknown) => this.#fail(error));
    this.#file = file;
    this.#segments.push({ segment, path, usedBytes: BLOCK_BYTES + bytes.length });
  }

  #onDurable(batch: Batch): void {
    const current = this.#segments[this.#segments.length - 1];
    current.usedBytes = batch.offsetBytes + roundUpToBlock(batch.unit.lengthBytes);
    this.#unsealed = batch.unit.records > 0;
    this.#wroteLately = true;
    this.#removeNeedless(batch.firstNeeded);
    this.#spare.advance(Math.ceil((2 * current.usedBytes * this.#spare.targetBytes) / batch.madeBytes));
  }

  /** The oldest segment that holds entries, or the one now being written. */
  #findFirstNeeded(writing: number): number {
    const needed = this.#segments.find(({ segment }) => segment >= writing || this.#ledger.hasRuns(segment));
    return needed?.segment ?? writing;
  }

  #removeNeedless(firstNeeded: number): void {
    this.#firstNeeded = firstNeeded;
    if (this.#removing !== undefined || this.#segments[0].segment >= firstNeeded) return;
    this.#removing = this.#removeSegments()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#removing = undefined;
      });
  }

  /** Oldest first, each durably before the next: a crash leaves no gap. */
  async #removeSegments(): Promise<void> {
    while (this.#segments[0].segment < this.#firstNeeded && this.#failure === undefined) {
      const { path } = this.#segments[0];
      await onDisk("remove", path, this.#disk.remove(path));
      await onDisk("sync", this.#directory, this.#disk.syncDirectory(this.#directory));
      this.#segments.shift();
    }
  }

  /** The file before the current one is cut to what it holds: the sign that another was begun after it. */
  async #finishSegment(): Promise<void> {
    const file = this.#file;
    const before = this.#segments.at(-1);
    if (file === undefined || before === undefined) return;
    await onDisk("cut", before.path, file.truncate(before.usedBytes));
    await onDisk("sync", before.path, file.sync());
    await onDisk("close", before.path, file.close());
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    await onDisk("close", this.#directory, file.close());
  }

  #onIdleTick(): void {
    if (!this.#wroteLately && this.#unsealed && !this.#hasWork() && this.#writing === undefined) {
      this.#sealDue = true;
      this.flush();
    }
    this.#wroteLately = false;
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = diskFailed("write", this.#directory, error);
    this.#stopIdleTimer();
    // Before that, `start` rejects.
    if (this.#started) this.#options.onFailure(this.#failure);
  }
}

function newBatch(): Batch {
  return {
    unit: new Unit(BATCH_BYTES),
    callbacks: [],
    opening: undefined,
    segment: 0,
    madeBytes: 0,
    offsetBytes: 0,
    sequence: 0,
    firstNeeded: 0,
  };
}
