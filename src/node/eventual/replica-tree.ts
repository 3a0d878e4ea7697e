/** A replica as the comparing of trees sees it (eventual/reconcile.ts). */
import { ByteWriter } from "../../codec/byte-writer.js";
import { assert } from "../../core/assert.js";
import { type Bytes, EMPTY_BYTES, type Key } from "../../core/bytes.js";
import type { ReplicaId } from "../../core/ids.js";
import { BatchWriter } from "../../eventual/batch.js";
import { FINGERPRINT_BYTES, Fingerprint, LEAVES_PER_NODE, NODES } from "../../eventual/fingerprints.js";
import type { RecordCollector, TreeHost } from "../../eventual/reconcile.js";
import type { Standing, SyncMessage } from "../../eventual/sync-message.js";
import type { VersionVector } from "../../eventual/version-vector.js";
import type { Random } from "../../ports/random.js";
import type { LinkedState } from "./partition-parts.js";
import type { Peers } from "./partition-trees.js";
import { adoptionBatch, checkRecords } from "./sync-batches.js";

class StoredRecords implements RecordCollector {
  readonly #state: LinkedState;
  readonly #writer = new BatchWriter();

  constructor(state: LinkedState) {
    this.#state = state;
  }

  get sizeBytes(): number {
    return this.#writer.sizeBytes;
  }

  get count(): number {
    return this.#writer.records;
  }

  add(key: Key): void {
    const stored = this.#state.stored(key);
    if (stored !== undefined) this.#writer.stored(key, stored);
  }

  toBytes(): Bytes {
    return this.count === 0 ? EMPTY_BYTES : this.#writer.take();
  }
}

export class ReplicaTree implements TreeHost {
  readonly #peers: Peers;
  readonly #random: Random;
  readonly #onRefused: () => void;
  readonly #fingerprint = new Fingerprint();

  /** `onRefused`: the replica did not take what was to be merged. */
  constructor(peers: Peers, random: Random, onRefused: () => void) {
    this.#peers = peers;
    this.#random = random;
    this.#onRefused = onRefused;
  }

  get #state(): LinkedState {
    return this.#peers.replica.state;
  }

  standing(): Standing {
    return this.#peers.standing();
  }

  nextSession(): number {
    return this.#random.id48();
  }

  nodes(): Bytes {
    const writer = new ByteWriter(NODES * FINGERPRINT_BYTES);
    this.#state.fingerprints.writeNodes(writer);
    return writer.toBytes();
  }

  leaves(node: number): Bytes {
    const writer = new ByteWriter(LEAVES_PER_NODE * FINGERPRINT_BYTES);
    this.#state.fingerprints.writeLeaves(writer, node);
    return writer.toBytes();
  }

  keysOfLeaf(leaf: number, after: Key): Iterable<Key> {
    return this.#state.keysOfLeaf(leaf, after);
  }

  writeFingerprint(key: Key, target: Bytes, at: number): void {
    const stored = this.#state.stored(key);
    assert(stored !== undefined, "a leaf leads to records");
    const fingerprint = this.#fingerprint;
    fingerprint.ofStored(key, stored);
    target.writeUInt32LE(fingerprint.high, at);
    target.writeUInt32LE(fingerprint.low, at + 4);
  }

  newBatch(): RecordCollector {
    return new StoredRecords(this.#state);
  }

  take(batch: Bytes, onMerged: () => void): number {
    const count = checkRecords(batch);
    if (!this.#peers.take(batch, onMerged)) this.#onRefused();
    return count;
  }

  adopt(vector: VersionVector, onMerged: () => void): void {
    const { self, state } = this.#peers.replica;
    const news: [ReplicaId, number][] = [];
    for (const origin of vector.origins) {
      const number = vector.get(origin);
      if (origin !== self && number > state.vector.get(origin)) news.push([origin, number]);
    }
    if (news.length === 0) onMerged();
    else if (!this.#peers.take(adoptionBatch(news), onMerged)) this.#onRefused();
  }

  send(to: ReplicaId, message: SyncMessage): number {
    return this.#peers.send(to, message);
  }
}
