/**
 * Files that keep a group of the memory engine over a restart.
 *
 *     +--------+-------+-------+-----------+----------+----------+-------+--------+
 *     |"MKDBSN"| u16   | group | index u48 | term u48 |state size| state | CRC-32C|   head
 *     |        |version|  u32  |           |          |   u32    |       |  u32   |
 *     +--------+-------+-------+-----------+----------+----------+-------+--------+
 *     | piece size u32 | piece, with its own checksum (see pieces.ts)    |            … any number
 *     +----------------+-------------------------------------------------+
 *     | 0 u32          | records u48 | CRC-32C of both u32 |                           end
 *     +----------------+-------------+---------------------+
 *
 * Integers are little-endian. The head is the same in every version, so that a newer one is told from damage. A file is written under a name that ends in `.tmp`, made durable, and only then
 * renamed to `<group>.<sequence>.snapshot`, with a sequence higher than any before. So a file cut off by a
 * crash is a `.tmp`, to be thrown away; one with its final name was whole once, and damage to it is an error.
 */
import { allocOwnBytes, type Bytes, latin1ToBytes } from "../../core/bytes.js";
import { crc32c } from "../../core/crc32c.js";
import { MinikeyError } from "../../core/errors.js";
import { type GroupId, groupId, logIndex, term } from "../../core/ids.js";
import type { DiskFile } from "../../ports/disk.js";
import type { AppliedState } from "../../ports/storage-engine.js";

const MAGIC = latin1ToBytes("MKDBSN");
const VERSION = 1;
const HEAD_BYTES = 28;
const CHECKSUM_BYTES = 4;
const SIZE_BYTES = 4;
const END_BYTES = 14;
const SUFFIX = ".snapshot";
export const UNFINISHED_SUFFIX = ".tmp";
/** Larger states and pieces than any engine writes: a damaged size must not ask for all memory. */
const PART_BYTES_MAX = 1024 ** 3;

export interface SnapshotName {
  readonly group: GroupId;
  readonly sequence: number;
}

export function snapshotName({ group, sequence }: SnapshotName): string {
  return `${group}.${sequence}${SUFFIX}`;
}

/** Undefined for a file that is no finished snapshot. */
export function parseSnapshotName(name: string): SnapshotName | undefined {
  const match = /^(\d{1,10})\.(\d{1,15})\.snapshot$/.exec(name);
  return match === null ? undefined : { group: groupId(Number(match[1])), sequence: Number(match[2]) };
}

/** Writes one file, from head to end. */
export class SnapshotFileWriter {
  readonly #file: DiskFile;
  #position = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  async head(group: GroupId, applied: AppliedState): Promise<void> {
    const { state } = applied;
    const head = allocOwnBytes(HEAD_BYTES + state.length + CHECKSUM_BYTES);
    MAGIC.copy(head);
    head[6] = VERSION;
    head[7] = VERSION >>> 8;
    head.writeUInt32LE(group, 8);
    head.writeUIntLE(applied.index, 12, 6);
    head.writeUIntLE(applied.term, 18, 6);
    head.writeUInt32LE(state.length, 24);
    head.set(state, HEAD_BYTES);
    const end = HEAD_BYTES + state.length;
    head.writeUInt32LE(crc32c(head, 0, end), end);
    await this.#write([head]);
  }

  async piece(piece: Bytes): Promise<void> {
    const size = allocOwnBytes(SIZE_BYTES);
    size.writeUInt32LE(piece.length, 0);
    await this.#write([size, piece]);
  }

  /** Makes the file complete and durable. */
  async end(records: number): Promise<void> {
    const end = allocOwnBytes(END_BYTES);
    end.writeUInt32LE(0, 0);
    end.writeUIntLE(records, SIZE_BYTES, 6);
    end.writeUInt32LE(crc32c(end, 0, END_BYTES - CHECKSUM_BYTES), END_BYTES - CHECKSUM_BYTES);
    await this.#write([end]);
    await this.#file.sync();
  }

  async #write(parts: readonly Bytes[]): Promise<void> {
    await this.#file.write(parts, this.#position);
    for (const part of parts) this.#position += part.length;
  }
}

/** Reads one file; everything but what was written is `DATA_CORRUPT`, or `DATA_NEWER`, and names the file. */
export class SnapshotFileReader {
  readonly #file: DiskFile;
  readonly #path: string;
  #position = 0;

  constructor(file: DiskFile, path: string) {
    this.#file = file;
    this.#path = path;
  }

  async head(group: GroupId): Promise<AppliedState> {
    const fixed = await this.#read(HEAD_BYTES);
    if (!fixed.subarray(0, MAGIC.length).equals(MAGIC)) throw this.corrupt("it is no snapshot");
    const rest = await this.#read(this.#checkSize(fixed.readUInt32LE(24)) + CHECKSUM_BYTES);
    const state = rest.subarray(0, rest.length - CHECKSUM_BYTES);
    const checksum = crc32c(state, 0, state.length, crc32c(fixed));
    if (rest.readUInt32LE(state.length) !== checksum)
      throw this.corrupt("the checksum of its head does not match");
    const version = fixed[6] | (fixed[7] << 8);
    if (version > VERSION) {
      throw new MinikeyError(
        "DATA_NEWER",
        `${this.#path} has format ${version}, this version of MinikeyDB reads up to ${VERSION}`,
      );
    }
    const namedGroup = fixed.readUInt32LE(8);
    if (namedGroup !== group) throw this.corrupt(`it belongs to group ${namedGroup}`);
    return { index: logIndex(fixed.readUIntLE(12, 6)), term: term(fixed.readUIntLE(18, 6)), state };
  }

  /** The next piece, or undefined at the end, which must tell as many records as were read. */
  async next(recordsSoFar: number): Promise<Bytes | undefined> {
    const size = await this.#read(SIZE_BYTES);
    const sizeBytes = this.#checkSize(size.readUInt32LE(0));
    if (sizeBytes > 0) return this.#read(sizeBytes);
    const end = await this.#read(END_BYTES - SIZE_BYTES);
    const checksum = crc32c(end, 0, 6, crc32c(size));
    if (end.readUInt32LE(6) !== checksum) throw this.corrupt("the checksum of its end does not match");
    if (end.readUIntLE(0, 6) !== recordsSoFar) throw this.corrupt(`it has ${recordsSoFar} records`);
    return undefined;
  }

  corrupt(problem: string): MinikeyError {
    return new MinikeyError(
      "DATA_CORRUPT",
      `${this.#path} is damaged before byte ${this.#position}: ${problem}`,
    );
  }

  #checkSize(sizeBytes: number): number {
    if (sizeBytes > PART_BYTES_MAX) throw this.corrupt(`a part of ${sizeBytes} bytes`);
    return sizeBytes;
  }

  async #read(sizeBytes: number): Promise<Bytes> {
    const target = allocOwnBytes(sizeBytes);
    const read = await this.#file.read(target, this.#position);
    this.#position += read;
    if (read < sizeBytes) throw this.corrupt("it is cut off");
    return target;
  }
}
