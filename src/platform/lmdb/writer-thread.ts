/**
 * The thread that writes: it alone opens write transactions, so that neither the B-tree work nor waiting for
 * the disk ever holds up the event loop. Started by writer.ts with the environment's path.
 */
import { parentPort, workerData } from "node:worker_threads";
import { open } from "lmdb";
import { assert } from "../../core/assert.js";
import { allocOwnBytes, asBytes, type Bytes, copyBytes, EMPTY_BYTES } from "../../core/bytes.js";
import { groupId } from "../../core/ids.js";
import type { RecordBlock } from "../../storage/overlay/records.js";
import { type LmdbModule, type LmdbStore, openStore } from "./binding.js";
import { describeFailure, freeBytesAt } from "./full-disk.js";
import { passGate } from "./gate.js";
import { addToCounts, garbageKey, groupKey, treeEnd, treeKey } from "./layout.js";
import type {
  BlocksMessage,
  CollectMessage,
  CommitMessage,
  WriterData,
  WriterMessage,
  WriterReply,
} from "./messages.js";
import { COMPLETE, newScope, scopedKeyEncoder } from "./reader.js";
import { visitSorted } from "./sorted-writes.js";

const SCRATCH_BYTES = 64 * 1024;
const EMPTY_DELTAS: ReadonlyMap<number, number> = new Map();

class WriterThread {
  readonly #store: LmdbStore;
  readonly #scope = newScope();
  readonly #scratch = allocOwnBytes(SCRATCH_BYTES);
  /** By job. */
  readonly #writes = new Map<number, BlocksMessage[]>();

  constructor({ path, mapBytes }: WriterData) {
    const lmdb: LmdbModule = { open: (options) => open(options as never) as unknown as LmdbStore };
    this.#store = openStore(lmdb, path, scopedKeyEncoder(this.#scope), mapBytes);
  }

  addBlocks(message: BlocksMessage): void {
    const known = this.#writes.get(message.job);
    if (known === undefined) this.#writes.set(message.job, [message]);
    else known.push(message);
  }

  commit(message: CommitMessage): WriterReply {
    const writes = this.#writes.get(message.job) ?? [];
    this.#writes.delete(message.job);
    const store = this.#store;
    const deltas = store.transactionSync(() => {
      const deltas = new Map<number, number>();
      for (const { tree, blocks } of writes) deltas.set(tree, this.#apply(tree, blocks));
      for (const { group, record } of message.groups) {
        const bytes = asBytes(record);
        addToCounts(bytes, deltas);
        store.put(groupKey(groupId(group)), bytes);
      }
      for (const group of message.removedGroups) store.remove(groupKey(groupId(group)));
      for (const tree of message.adopted) store.remove(garbageKey(tree));
      for (const tree of message.discarded) store.put(garbageKey(tree), EMPTY_BYTES);
      return deltas;
    });
    return { job: message.job, deltas, done: true, error: undefined };
  }

  collect(message: CollectMessage): WriterReply {
    const store = this.#store;
    const range = { start: treeKey(message.tree, ""), end: treeEnd(message.tree), limit: message.limit };
    const done = store.transactionSync(() => {
      const keys = [...store.getKeys(range)];
      for (const key of keys) store.remove(key);
      if (keys.length === message.limit) return false;
      store.remove(garbageKey(message.tree));
      return true;
    });
    return { job: message.job, deltas: EMPTY_DELTAS, done, error: undefined };
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Applies writes to a tree; returns by how many keys it grew. */
  #apply(tree: number, blocks: readonly RecordBlock[]): number {
    const store = this.#store;
    const entriesBefore = store.getStats().entryCount;
    this.#scope.tree = tree;
    visitSorted(blocks, (key, value) => {
      if (value === undefined) store.remove(key);
      else store.put(key, this.#own(value));
    });
    this.#scope.tree = COMPLETE;
    return store.getStats().entryCount - entriesBefore;
  }

  /** The same bytes in memory that is not shared, which the library asks for; valid until the next call. */
  #own(value: Bytes): Bytes {
    if (value.length > this.#scratch.length) return copyBytes(value);
    value.copy(this.#scratch);
    return this.#scratch.subarray(0, value.length);
  }
}

function main(): void {
  const port = parentPort;
  assert(port !== null, "the writer runs in a worker thread");
  const { path, gate } = workerData as WriterData;
  const writer = new WriterThread(workerData as WriterData);

  const run = (job: number, work: () => WriterReply): WriterReply => {
    try {
      return work();
    } catch (error) {
      return { job, deltas: EMPTY_DELTAS, done: false, error: describeFailure(error, freeBytesAt(path)) };
    }
  };
  const answer = (job: number, work: () => WriterReply): void =>
    passGate(gate, () => port.postMessage(run(job, work)));

  port.on("message", (message: WriterMessage) => {
    switch (message.kind) {
      case "blocks":
        writer.addBlocks(message);
        break;
      case "commit":
        answer(message.job, () => writer.commit(message));
        break;
      case "collect":
        answer(message.job, () => writer.collect(message));
        break;
      case "close":
        // The thread ends by itself once nothing keeps it busy; an error ends it too, and is reported.
        writer.close().then(
          () => port.close(),
          (error: unknown) => {
            throw error;
          },
        );
        break;
    }
  });
}

main();
