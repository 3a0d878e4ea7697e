/**
 * Reads a segment from its start to its end through a window of about a megabyte, larger only where a unit
 * is larger, so that recovery's memory does not grow with the log.
 */
import { allocOwnBytes, type Bytes, EMPTY_BYTES } from "../../core/bytes.js";
import type { DiskFile } from "../../ports/disk.js";
import { onDisk } from "./failures.js";
import {
  BLOCK_BYTES,
  findDamagedRecord,
  readSegmentHeader,
  readUnitHeader,
  type SegmentHeader,
  UNIT_HEADER_BYTES,
  type UnitHeader,
} from "./format.js";

const WINDOW_BYTES = 1024 * 1024;

export class SegmentReader {
  readonly path: string;
  readonly segment: number;
  readonly sizeBytes: number;
  readonly file: DiskFile;
  #buffer: Bytes = EMPTY_BYTES;
  /** The window: `#buffer[0, #length)` holds the file from `#start` on. */
  #start = 0;
  #length = 0;

  private constructor(file: DiskFile, path: string, segment: number, sizeBytes: number) {
    this.file = file;
    this.path = path;
    this.segment = segment;
    this.sizeBytes = sizeBytes;
  }

  static async open(file: DiskFile, path: string, segment: number): Promise<SegmentReader> {
    return new SegmentReader(file, path, segment, await onDisk("read the size of", path, file.sizeBytes()));
  }

  /** The window's memory: valid until the next call of `fill`. */
  get bytes(): Bytes {
    return this.#buffer;
  }

  /** Where the file's byte `offset`, which the last `fill` has loaded, is in `bytes`. */
  at(offset: number): number {
    return offset - this.#start;
  }

  /** True when `fill` would do nothing. */
  has(offset: number, sizeBytes: number): boolean {
    return offset >= this.#start && offset + sizeBytes <= this.#start + this.#length;
  }

  /** Loads at least `sizeBytes` at `offset`, as far as the file goes; returns how many from there are loaded. */
  async fill(offset: number, sizeBytes: number): Promise<number> {
    if (!this.has(offset, sizeBytes)) await this.#load(offset, sizeBytes);
    return Math.max(0, this.#start + this.#length - offset);
  }

  /** Gives the window's memory back. */
  release(): void {
    this.#buffer = EMPTY_BYTES;
    this.#length = 0;
  }

  async segmentHeader(): Promise<SegmentHeader | undefined> {
    const loaded = await this.fill(0, BLOCK_BYTES);
    return readSegmentHeader(this.bytes.subarray(this.at(0), this.at(0) + Math.min(loaded, BLOCK_BYTES)));
  }

  /** The header of the unit at `offset`, when it is intact and belongs there. */
  async unitHeader(offset: number): Promise<UnitHeader | undefined> {
    if (!this.has(offset, UNIT_HEADER_BYTES)) await this.fill(offset, UNIT_HEADER_BYTES);
    if (!this.has(offset, UNIT_HEADER_BYTES)) return undefined;
    const header = readUnitHeader(this.bytes, this.at(offset));
    return header?.offsetBytes === offset && header.segment === this.segment ? header : undefined;
  }

  /** The same, when its records are intact, too; `bytes` then hold the whole unit. */
  async intactUnit(offset: number): Promise<UnitHeader | undefined> {
    const header = await this.unitHeader(offset);
    if (header === undefined) return undefined;
    if (!this.has(offset, header.lengthBytes)) await this.fill(offset, header.lengthBytes);
    if (!this.has(offset, header.lengthBytes)) return undefined;
    const damaged = findDamagedRecord(this.bytes, this.at(offset), header);
    return damaged === undefined ? header : undefined;
  }

  async #load(offset: number, sizeBytes: number): Promise<void> {
    const kept = this.has(offset, 0) ? this.#start + this.#length - offset : 0;
    const wanted = Math.max(sizeBytes, Math.min(WINDOW_BYTES, this.sizeBytes - offset));
    const target = wanted > this.#buffer.length ? allocOwnBytes(wanted) : this.#buffer;
    if (kept > 0) this.#buffer.copy(target, 0, offset - this.#start, offset - this.#start + kept);
    this.#buffer = target;
    this.#start = offset;
    const count = await onDisk("read", this.path, this.file.read(target.subarray(kept), offset + kept));
    this.#length = kept + count;
  }
}
