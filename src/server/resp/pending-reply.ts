/**
 * A command that waits for its reply, or for its turn: replies are sent in the order of the commands, in
 * whatever order they come. A reply out of turn is kept as it is, or where it holds bytes, which are valid only
 * during the call, as it will be sent.
 */
import { type Reply, Status } from "../../commands/reply.js";
import { assert } from "../../core/assert.js";
import { allocUnsafeBytes, type Bytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { ReplySink } from "../../node/database.js";
import type { Protocol, RespWriter } from "./resp-writer.js";

export interface ReplyQueue {
  /** `pending` has its reply. */
  onReply(pending: PendingReply, reply: Reply): void;
}

export class PendingReply implements ReplySink {
  next: PendingReply | undefined = undefined;
  /** 0: the client does not want a reply. */
  readonly protocol: Protocol | 0;
  readonly #queue: ReplyQueue;
  #state: "waiting" | "held" | "done" = "waiting";
  #reply: Reply = null;
  #encoded: Bytes | undefined = undefined;

  constructor(queue: ReplyQueue, protocol: Protocol | 0) {
    this.#queue = queue;
    this.protocol = protocol;
  }

  get isHeld(): boolean {
    return this.#state === "held";
  }

  onReply(reply: Reply): void {
    assert(this.#state === "waiting", "a command was answered twice");
    this.#state = "done";
    this.#queue.onReply(this, reply);
  }

  /** Keeps a reply until its turn. Returns the bytes that this takes, where they are worth counting. */
  hold(reply: Reply, scratch: RespWriter): number {
    this.#state = "held";
    if (this.protocol === 0) return 0;
    if (isSmall(reply)) {
      this.#reply = reply;
      return 0;
    }
    scratch.clear();
    scratch.write(reply, this.protocol);
    this.#encoded = allocUnsafeBytes(scratch.length);
    scratch.bytes.copy(this.#encoded, 0, 0, scratch.length);
    return scratch.length;
  }

  /** Sends what was held. Returns what `hold` did. */
  release(writer: RespWriter): number {
    this.#state = "done";
    if (this.protocol === 0) return 0;
    if (this.#encoded === undefined) {
      writer.write(this.#reply, this.protocol);
      return 0;
    }
    writer.raw(this.#encoded, 0, this.#encoded.length);
    return this.#encoded.length;
  }
}

/** And so kept as it is: it refers to no bytes of others. */
function isSmall(reply: Reply): boolean {
  if (typeof reply === "string") return false;
  return (
    typeof reply !== "object" || reply === null || reply instanceof Status || reply instanceof MinikeyError
  );
}
