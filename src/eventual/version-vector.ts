/**
 * What a replica has of a partition's writes: for each origin up to which number it has everything, itself or
 * something later of the same key (docs/adr/0014).
 *
 * ```
 *   count varint, then of each origin, in their order:   origin u32, number u48
 * ```
 */
import type { ByteReader } from "../codec/byte-reader.js";
import type { ByteWriter } from "../codec/byte-writer.js";
import { type ReplicaId, replicaId } from "../core/ids.js";
import type { Dot } from "./types.js";

/** The last write that there can be: whoever has everything of an origin that is gone has it up to here. */
export const LAST_NUMBER = 2 ** 48 - 1;

export class VersionVector {
  /** In their order; those of which nothing is there are not among them. */
  readonly #origins: ReplicaId[] = [];
  /** Of the origin at the same position. */
  readonly #numbers: number[] = [];

  /** Throws what `reader` throws for what is no vector. */
  static decode(reader: ByteReader): VersionVector {
    const vector = new VersionVector();
    let last = -1;
    for (const [origin, number] of reader.list(readPart)) {
      if (origin <= last) throw reader.error("origins out of order");
      if (number === 0) throw reader.error("an origin with nothing");
      vector.#origins.push(origin);
      vector.#numbers.push(number);
      last = origin;
    }
    return vector;
  }

  /** Those of which something is there, in their order. */
  get origins(): readonly ReplicaId[] {
    return this.#origins;
  }

  /** Up to which write of the origin everything is there; 0 for nothing. */
  get(origin: ReplicaId): number {
    const at = this.#origins.indexOf(origin);
    return at === -1 ? 0 : this.#numbers[at];
  }

  has(dot: Dot): boolean {
    return this.get(dot.origin) >= dot.number;
  }

  /** Everything of the origin up to there has come. False: it had already. */
  advance(origin: ReplicaId, upTo: number): boolean {
    const origins = this.#origins;
    let at = 0;
    while (at < origins.length && origins[at] < origin) at += 1;
    if (origins[at] === origin) {
      if (this.#numbers[at] >= upTo) return false;
      this.#numbers[at] = upTo;
      return true;
    }
    if (upTo <= 0) return false;
    origins.splice(at, 0, origin);
    this.#numbers.splice(at, 0, upTo);
    return true;
  }

  /** Has all that `other` has. */
  covers(other: VersionVector): boolean {
    return other.#origins.every((origin, i) => this.get(origin) >= other.#numbers[i]);
  }

  /** Has all that `other` has from now on. False: it had already. */
  mergeFrom(other: VersionVector): boolean {
    let changed = false;
    other.#origins.forEach((origin, i) => {
      if (this.advance(origin, other.#numbers[i])) changed = true;
    });
    return changed;
  }

  equals(other: VersionVector): boolean {
    return this.#origins.length === other.#origins.length && this.covers(other) && other.covers(this);
  }

  copy(): VersionVector {
    const copy = new VersionVector();
    copy.mergeFrom(this);
    return copy;
  }

  encode(writer: ByteWriter): void {
    writer.varint(this.#origins.length);
    this.#origins.forEach((origin, i) => {
      writer.u32(origin);
      writer.u48(this.#numbers[i]);
    });
  }
}

function readPart(reader: ByteReader): [ReplicaId, number] {
  return [replicaId(reader.u32()), reader.u48()];
}
