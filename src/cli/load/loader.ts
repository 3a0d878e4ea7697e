/**
 * Writes records to a cluster: the batches of all partitions side by side, within a bound of memory.
 *
 * Every record's fate is counted exactly once. A batch that the cluster refuses for what is in it is sent again
 * record by record, which tells the bad ones from the good.
 */
import { expectArray, expectNumber } from "../../client/values.js";
import type { Argument, Channel, WireReply } from "../../client/wire.js";
import { RECORD_JSON } from "../../codec/record-batch.js";
import { MinikeyError } from "../../core/errors.js";
import { slotOfBytes } from "../../sharding/slots.js";
import { type Batch, firstRecord, RecordQueue, splitBatch } from "./record-queue.js";
import type { LoadRecord } from "./records.js";

export interface LoaderOptions {
  /** Bytes of records on their way. */
  readonly bytesMax: number;
  /** How long one batch may take before the load gives up, a cluster without quorum included. */
  readonly timeoutMs: number;
  readonly partitionOfSlot: Uint16Array;
  /** Partition → the way to the node that is asked to store its records. */
  readonly channels: readonly Channel[];
  /** A record that the cluster refuses for what it is: too large, for instance. */
  readonly onRefused: (line: number, reason: string) => void;
}

export interface LoadCounts {
  readonly created: number;
  readonly replaced: number;
  readonly refused: number;
}

/** Before a batch is offered again to a node that was overloaded or without quorum. */
const RETRY_AFTER_MS = 100;
/** How long a record waits for others to go with, when its partition has nothing else on its way. */
const LINGER_MS = 10;

export class Loader {
  readonly #options: LoaderOptions;
  readonly #queues: readonly RecordQueue[];
  #bytes = 0;
  #created = 0;
  #replaced = 0;
  #refused = 0;
  #failure: { readonly line: number; readonly error: MinikeyError } | undefined;
  #lingerTimer: NodeJS.Timeout | undefined;
  #isDraining = false;
  #wake: (() => void) | undefined;

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#queues = options.channels.map(() => new RecordQueue());
  }

  get counts(): LoadCounts {
    return { created: this.#created, replaced: this.#replaced, refused: this.#refused };
  }

  /** Why the load cannot go on, and the first line whose record may not be stored. */
  get failure(): { readonly line: number; readonly error: MinikeyError } | undefined {
    return this.#failure;
  }

  get hasRoom(): boolean {
    return this.#bytes < this.#options.bytesMax;
  }

  /** Takes one record, copied; the caller waits for `room` when `hasRoom` is false. */
  add(record: LoadRecord): void {
    const slot = slotOfBytes(record.key, record.keyStart, record.keyEnd);
    const partition = this.#options.partitionOfSlot[slot];
    const queue = this.#queues[partition];
    this.#bytes += queue.add(record);
    if (!queue.isBusy) this.#sendNext(partition);
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    while (!this.hasRoom) {
      this.#flush();
      await this.#change();
    }
  }

  /** Resolves when nothing is on its way. Nothing is added afterwards. */
  async idle(): Promise<void> {
    this.#isDraining = true;
    this.#flush();
    while (this.#queues.some((queue) => queue.isBusy || !queue.isEmpty)) await this.#change();
    clearTimeout(this.#lingerTimer);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Sends what there is, enough for a batch or not. */
  #flush(): void {
    this.#queues.forEach((queue, partition) => {
      if (!queue.isBusy && !queue.isEmpty) this.#send(partition, queue.take()!);
    });
  }

  /** Sends the next batch of a partition that has nothing at the cluster, or waits a moment for more. */
  #sendNext(partition: number): void {
    const queue = this.#queues[partition];
    if (queue.isFull || (this.#isDraining && !queue.isEmpty)) {
      this.#send(partition, queue.take()!);
    } else if (!queue.isEmpty) {
      this.#lingerTimer ??= setTimeout(() => {
        this.#lingerTimer = undefined;
        this.#flush();
      }, LINGER_MS);
    }
  }

  #send(partition: number, batch: Batch): void {
    this.#queues[partition].isBusy = true;
    const nowMs = performance.now();
    if (batch.deadlineMs === 0) batch.deadlineMs = nowMs + this.#options.timeoutMs;
    this.#options.channels[partition].submit({
      args: commandOf(batch),
      kind: "write-once",
      timeoutMs: Math.max(1, Math.ceil(batch.deadlineMs - nowMs)),
      onReply: (reply) => this.#onReply(partition, batch, reply),
    });
  }

  #onReply(partition: number, batch: Batch, reply: WireReply): void {
    const count = batch.lines.length;
    if (!(reply instanceof MinikeyError)) {
      const created = expectNumber(count === 1 ? expectArray(reply)[0] : reply);
      this.#created += created;
      this.#replaced += count - created;
      this.#bytes -= batch.records.length;
    } else if (reply.retryable && reply.outcome !== "unknown" && performance.now() < batch.deadlineMs) {
      batch.refusal = reply;
      setTimeout(() => this.#send(partition, batch), RETRY_AFTER_MS);
      return;
    } else if (reply.retryable || reply.outcome === "unknown") {
      // The last attempt had no time left for an answer; what the cluster said before is the reason.
      this.#fail(batch, batch.refusal ?? reply);
    } else if (count > 1) {
      this.#queues[partition].putBack(splitBatch(batch));
    } else {
      this.#refused += 1;
      this.#bytes -= batch.records.length;
      this.#options.onRefused(batch.lines[0], reply.message);
    }
    this.#queues[partition].isBusy = false;
    this.#sendNext(partition);
    this.#wake?.();
    this.#wake = undefined;
  }

  /** The load stops: what has not been sent yet is not sent any more. */
  #fail(batch: Batch, error: MinikeyError): void {
    let { line } = this.#failure ?? { line: Number.POSITIVE_INFINITY };
    for (const lost of [batch, ...this.#queues.flatMap((queue) => queue.takeAll())]) {
      line = Math.min(line, lost.lines[0]);
      this.#bytes -= lost.records.length;
    }
    this.#failure = { line, error: this.#failure?.error ?? error };
  }
}

/** One record goes by the command that everybody knows, so that a refusal is about that record. */
function commandOf(batch: Batch): readonly Argument[] {
  const { bytes, type, keyStart, keyEnd, valueStart, valueEnd } = firstRecord(batch);
  const key = bytes.subarray(keyStart, keyEnd);
  if (batch.lines.length > 1) return ["KV.LOAD", key, batch.records];
  const typeName = type === RECORD_JSON ? "json" : "string";
  return ["KV.PUT", key, typeName, "any", "0", "0", bytes.subarray(valueStart, valueEnd)];
}
