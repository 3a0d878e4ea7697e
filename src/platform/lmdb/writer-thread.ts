/**
 * The thread that writes: it alone opens write transactions, so that neither the B-tree work nor waiting for
 * the disk ever holds up the event loop. Started by writer.ts with the environment's path.
 */
import { parentPort, workerData } from "node:worker_threads";
import { open } from "lmdb";
import { assert } from "../../core/assert.js";
import { asBytes, EMPTY_BYTES } from "../../core/bytes.js";
import { groupId } from "../../core/ids.js";
import { COMPLETE_KEYS, type LmdbModule, type LmdbStore, openStore } from "./binding.js";
import { addToCounts, garbageKey, groupKey, treeEnd, treeKey, treeOfKey } from "./layout.js";
import type { CollectMessage, CommitMessage, WriterData, WriterMessage, WriterReply } from "./messages.js";
import { type Operation, type OperationBlock, readOperations } from "./operations.js";

const EMPTY_DELTAS: ReadonlyMap<number, number> = new Map();

class WriterThread {
  readonly #store: LmdbStore;
  readonly #blocks = new Map<number, OperationBlock[]>();

  constructor({ path, mapBytes }: WriterData) {
    const lmdb: LmdbModule = { open: (options) => open(options as never) as unknown as LmdbStore };
    this.#store = openStore(lmdb, path, COMPLETE_KEYS, mapBytes);
  }

  addBlocks(job: number, blocks: readonly OperationBlock[]): void {
    const known = this.#blocks.get(job);
    if (known === undefined) this.#blocks.set(job, [...blocks]);
    else known.push(...blocks);
  }

  commit(message: CommitMessage): WriterReply {
    const operations = readOperations(this.#blocks.get(message.job) ?? []);
    this.#blocks.delete(message.job);
    // In key order each page is visited once, and a tree's operations are next to each other.
    operations.sort((a, b) => (a.key < b.key ? -1 : 1));
    const store = this.#store;
    const deltas = store.transactionSync(() => {
      const deltas = this.#apply(operations);
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

  /** Applies operations in key order; returns by how many keys each tree grew. */
  #apply(operations: readonly Operation[]): Map<number, number> {
    const deltas = new Map<number, number>();
    const store = this.#store;
    let tree = -1;
    let entriesBefore = 0;
    const finishTree = (): void => {
      const entries = store.getStats().entryCount;
      if (tree >= 0) deltas.set(tree, entries - entriesBefore);
      entriesBefore = entries;
    };
    for (const { key, value } of operations) {
      const nextTree = treeOfKey(key);
      if (nextTree !== tree) {
        finishTree();
        tree = nextTree;
      }
      if (value === undefined) store.remove(key);
      else store.put(key, value);
    }
    finishTree();
    return deltas;
  }
}

function main(): void {
  const port = parentPort;
  assert(port !== null, "the writer runs in a worker thread");
  const writer = new WriterThread(workerData as WriterData);

  const answer = (job: number, work: () => WriterReply): void => {
    let reply: WriterReply;
    try {
      reply = work();
    } catch (error) {
      reply = { job, deltas: EMPTY_DELTAS, done: false, error: String(error) };
    }
    port.postMessage(reply);
  };

  port.on("message", (message: WriterMessage) => {
    switch (message.kind) {
      case "blocks":
        writer.addBlocks(message.job, message.blocks);
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
