/**
 * Writes records to a cluster: many on their way at once, over several nodes, within a bound.
 *
 * Records of one key are never on their way together, so the last line of a file wins however often a write is
 * sent again. Every record's fate is counted exactly once.
 */

import { expectArray, expectNumber } from "../../client/values.js";
import type { Channel, WireReply } from "../../client/wire.js";
import type { Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { LoadRecord } from "./records.js";

export interface LoaderOptions {
  /** Records on their way. */
  readonly recordsMax: number;
  /** Bytes of keys and values on their way. */
  readonly bytesMax: number;
  /** How long one record may take before the load gives up, a cluster without quorum included. */
  readonly timeoutMs: number;
  /** The way to the node that is asked to store a key. */
  readonly route: (key: Key) => Channel;
  /** A record that the cluster refuses for what it is: too large, for instance. */
  readonly onRefused: (line: number, reason: string) => void;
}

export interface LoadCounts {
  readonly created: number;
  readonly replaced: number;
  readonly refused: number;
}

/** Before a record is offered again to a node that was overloaded or without quorum. */
const RETRY_AFTER_MS = 100;

export class Loader {
  readonly #options: LoaderOptions;
  /** Keys on their way, each with the records that wait for it. */
  readonly #busyKeys = new Map<string, LoadRecord[] | undefined>();
  #records = 0;
  #bytes = 0;
  #created = 0;
  #replaced = 0;
  #refused = 0;
  #failure: { readonly line: number; readonly error: MinikeyError } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  get counts(): LoadCounts {
    return { created: this.#created, replaced: this.#replaced, refused: this.#refused };
  }

  /** Why the load cannot go on, and the line whose record was lost first. */
  get failure(): { readonly line: number; readonly error: MinikeyError } | undefined {
    return this.#failure;
  }

  get hasRoom(): boolean {
    return this.#records < this.#options.recordsMax && this.#bytes < this.#options.bytesMax;
  }

  /** Takes one record; the caller waits for `room` when `hasRoom` is false. */
  add(record: LoadRecord): void {
    this.#records += 1;
    this.#bytes += record.key.length + record.value.length;
    const key = keyOf(record);
    if (!this.#busyKeys.has(key)) {
      this.#busyKeys.set(key, undefined);
      this.#send(record, key, performance.now() + this.#options.timeoutMs);
      return;
    }
    const waiting = this.#busyKeys.get(key);
    if (waiting === undefined) this.#busyKeys.set(key, [record]);
    else waiting.push(record);
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    while (!this.hasRoom) await this.#change();
  }

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    while (this.#records > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #send(record: LoadRecord, key: string, deadlineMs: number): void {
    this.#options.route(key).submit({
      args: ["KV.PUT", record.key, record.type, "any", "0", "0", record.value],
      kind: "write-once",
      timeoutMs: Math.max(1, deadlineMs - performance.now()),
      onReply: (reply) => this.#onReply(record, key, deadlineMs, reply),
    });
  }

  #onReply(record: LoadRecord, key: string, deadlineMs: number, reply: WireReply): void {
    if (!(reply instanceof MinikeyError)) {
      if (expectNumber(expectArray(reply)[0]) === 1) this.#created += 1;
      else this.#replaced += 1;
    } else if (reply.retryable && reply.outcome !== "unknown" && performance.now() < deadlineMs) {
      setTimeout(() => this.#send(record, key, deadlineMs), RETRY_AFTER_MS);
      return;
    } else if (reply.retryable || reply.outcome === "unknown") {
      if (this.#failure === undefined || record.line < this.#failure.line) {
        this.#failure = { line: record.line, error: reply };
      }
    } else {
      this.#refused += 1;
      this.#options.onRefused(record.line, reply.message);
    }
    this.#finish(record, key);
  }

  #finish(record: LoadRecord, key: string): void {
    this.#records -= 1;
    this.#bytes -= record.key.length + record.value.length;
    const next = this.#busyKeys.get(key)?.shift();
    if (next === undefined) this.#busyKeys.delete(key);
    else this.#send(next, key, performance.now() + this.#options.timeoutMs);
    this.#wake?.();
    this.#wake = undefined;
  }
}

function keyOf({ key }: LoadRecord): Key {
  if (typeof key !== "string") return key.toString("latin1");
  return isAscii(key) ? key : Buffer.from(key).toString("latin1");
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
