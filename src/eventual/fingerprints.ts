/**
 * Fingerprints of what a partition holds, by which two replicas find where they differ: a Merkle tree (1987) of three
 * levels over a hash of the key, in which a sum takes the place of the hash of hashes, so that it is kept up to date
 * with every record (Bellare and Micciancio, "A New Paradigm for Collision-free Hashing: Incrementality at Reduced
 * Cost", 1997).
 *
 * ```
 *   root            the sum of all             8 bytes
 *   32 nodes        of 32 leaves each
 *   1,024 leaves    of the records whose key's hash leads there
 * ```
 * Of a record counts which writes it is of, not what they said, and nothing of what counts no more: a value that has
 * expired on one replica and not yet on another is no difference, nor is what was written over, which one replica may
 * have dropped while another has it still.
 *
 * "Sum" is the exclusive or of 64 bits that are mixed well for each record, so that records come and go in any order
 * and at the same cost. It protects against mistakes, not against people who choose keys in order to deceive it.
 */
import type { ByteReader } from "../codec/byte-reader.js";
import type { ByteWriter } from "../codec/byte-writer.js";
import { assert } from "../core/assert.js";
import type { Key } from "../core/bytes.js";
import { endedBefore, isSplit, seenOfOrigin } from "./counter.js";
import { isPlain, numberOf, originOf, readEventual, type StoredRecord } from "./record.js";
import type { EventualRecord } from "./types.js";

export const LEAVES = 1024;
/** Of the tree: the level between the root and the leaves. */
export const NODES = 32;
export const LEAVES_PER_NODE = LEAVES / NODES;
export const FINGERPRINT_BYTES = 8;

const U32 = 2 ** 32;

/** Takes the fingerprint of one record after another. */
export class Fingerprint {
  /** Of the record that was last looked at: its leaf and its 64 bits, as two unsigned integers. */
  leaf = 0;
  high = 0;
  low = 0;

  /** The leaf alone. */
  ofKey(key: Key): void {
    this.#begin(key);
  }

  ofStored(key: Key, stored: StoredRecord): void {
    if (!isPlain(stored)) {
      this.ofRecord(key, readEventual(stored));
      return;
    }
    this.#begin(key);
    this.#addWrite(originOf(stored), numberOf(stored));
    this.#end();
  }

  ofRecord(key: Key, { base, expiry, slots, seen }: EventualRecord): void {
    this.#begin(key);
    this.#addWrite(base.origin, base.number);
    if (expiry !== undefined) {
      this.#add(1);
      this.#addWrite(expiry.origin, expiry.number);
    }
    for (const slot of slots) {
      if (endedBefore(slot, base)) continue;
      this.#add(2);
      this.#addWrite(slot.origin, slot.number);
      if (isSplit(slot, seen)) this.#add(seenOfOrigin(slot, seen)?.number ?? 0);
    }
    this.#end();
  }

  #begin(key: Key): void {
    let high = 0x9747_b28c | 0;
    let low = 0x3c6e_f372 | 0;
    for (let i = 0; i < key.length; i += 1) {
      const byte = key.charCodeAt(i);
      high = Math.imul(high ^ byte, 0x9e37_79b1);
      high ^= high >>> 15;
      low = Math.imul(low ^ byte, 0x85eb_ca77);
      low ^= low >>> 13;
    }
    this.leaf = mixed(high ^ Math.imul(low, 0xc2b2_ae3d)) & (LEAVES - 1);
    this.high = high;
    this.low = low;
    this.#add(key.length);
  }

  #addWrite(origin: number, number: number): void {
    this.#add(origin);
    this.#add(Math.floor(number / U32));
    this.#add(number | 0);
  }

  /** A word of 32 bits: each of the two takes it in by its own multiplier, and nothing of it is lost. */
  #add(word: number): void {
    const high = Math.imul(this.high ^ word, 0x9e37_79b1);
    this.high = high ^ (high >>> 15);
    const low = Math.imul(this.low ^ word, 0x85eb_ca77);
    this.low = low ^ (low >>> 13);
  }

  #end(): void {
    this.high = mixed(this.high);
    this.low = mixed(this.low);
  }
}

/** MurmurHash3's last step: every bit of the result depends on every bit of `word`. */
function mixed(word: number): number {
  let x = word ^ (word >>> 16);
  x = Math.imul(x, 0x85eb_ca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Where the words of the levels begin in `#sums`: two words a sum, the higher one first. */
const NODES_AT = 2;
const LEAVES_AT = NODES_AT + 2 * NODES;
const WORDS = LEAVES_AT + 2 * LEAVES;

export class Fingerprints {
  readonly #sums = new Uint32Array(WORDS);

  /** A record has come into `leaf`, or has gone from it. */
  toggle(leaf: number, high: number, low: number): void {
    const sums = this.#sums;
    const node = NODES_AT + 2 * Math.floor(leaf / LEAVES_PER_NODE);
    const at = LEAVES_AT + 2 * leaf;
    sums[0] ^= high;
    sums[1] ^= low;
    sums[node] ^= high;
    sums[node + 1] ^= low;
    sums[at] ^= high;
    sums[at + 1] ^= low;
  }

  toggleFingerprint({ leaf, high, low }: Fingerprint): void {
    this.toggle(leaf, high, low);
  }

  /** All is the same as there, as far as 64 bits can tell. */
  sameRoot(other: Fingerprints): boolean {
    return this.#sums[0] === other.#sums[0] && this.#sums[1] === other.#sums[1];
  }

  get rootHigh(): number {
    return this.#sums[0];
  }

  get rootLow(): number {
    return this.#sums[1];
  }

  /** 8 bytes for each of the 32 nodes. */
  writeNodes(writer: ByteWriter): void {
    this.#write(writer, NODES_AT, NODES);
  }

  /** 8 bytes for each of the 32 leaves below a node. */
  writeLeaves(writer: ByteWriter, node: number): void {
    assert(node >= 0 && node < NODES, "node %", node);
    this.#write(writer, LEAVES_AT + 2 * node * LEAVES_PER_NODE, LEAVES_PER_NODE);
  }

  /** Whether those are the next 8 bytes. */
  isNode(node: number, reader: ByteReader): boolean {
    return this.#isNext(NODES_AT + 2 * node, reader);
  }

  isLeaf(leaf: number, reader: ByteReader): boolean {
    return this.#isNext(LEAVES_AT + 2 * leaf, reader);
  }

  clear(): void {
    this.#sums.fill(0);
  }

  /** 8 KiB; one byte for a partition with nothing in it. */
  encode(writer: ByteWriter): void {
    const isEmpty = this.#sums.every((word) => word === 0);
    writer.u8(isEmpty ? 0 : 1);
    if (!isEmpty) this.#write(writer, LEAVES_AT, LEAVES);
  }

  /** Throws what `reader` throws when there is less than that. */
  static decode(reader: ByteReader): Fingerprints {
    const fingerprints = new Fingerprints();
    const flag = reader.u8();
    if (flag > 1) throw reader.error(`fingerprints of kind ${flag}`);
    for (let leaf = 0; flag === 1 && leaf < LEAVES; leaf += 1) {
      const high = reader.u32();
      fingerprints.toggle(leaf, high, reader.u32());
    }
    return fingerprints;
  }

  #write(writer: ByteWriter, at: number, count: number): void {
    for (let i = at; i < at + 2 * count; i += 1) writer.u32(this.#sums[i]);
  }

  #isNext(at: number, reader: ByteReader): boolean {
    const high = reader.u32();
    const low = reader.u32();
    return high === this.#sums[at] && low === this.#sums[at + 1];
  }
}

/** Where the key's record is counted. */
export function leafOf(key: Key): number {
  const fingerprint = new Fingerprint();
  fingerprint.ofKey(key);
  return fingerprint.leaf;
}
