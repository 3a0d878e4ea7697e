/**
 * What this node asks of other nodes' replicas, request by request. Each has a number and is settled exactly once: by
 * its answer, by the loss of the way there, by its time, or by the end of the node.
 */
import type { ByteReader } from "../../codec/byte-reader.js";
import type { Bytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { GroupId, NodeId } from "../../core/ids.js";
import { encodeEventualFrame } from "../peer-frames.js";
import type { EventualHost } from "./parts.js";

/** Why there is no answer. `lost`: the other may have done what it was asked, or not. */
export type Unanswered = "lost" | "late" | "stopping";

/** Takes what comes of a request. */
export interface Asker {
  /** `reader` stands behind the request's number. Throws `PROTOCOL`, before anything else, for what is no answer. */
  onAnswer(from: NodeId, reader: ByteReader): void;
  onUnanswered(from: NodeId, why: Unanswered): void;
}

interface OpenRequest {
  readonly group: GroupId;
  readonly kind: number;
  readonly to: NodeId;
  readonly deadlineMs: number;
  readonly asker: Asker;
}

export class PeerRequests {
  readonly #host: EventualHost;
  readonly #open = new Map<number, OpenRequest>();
  /** Not from 1 on: an answer to what this node asked before it was restarted may come yet. */
  #next: number;
  #isClosed = false;

  constructor(host: EventualHost) {
    this.#host = host;
    this.#next = host.random.below(2 ** 47);
  }

  get pending(): number {
    return this.#open.size;
  }

  /**
   * Sends what `encode` makes of a new request's number; an answer is to be of this `kind`. False, and nothing is sent,
   * when the node cannot be reached or takes no more.
   */
  ask(
    to: NodeId,
    group: GroupId,
    kind: number,
    deadlineMs: number,
    asker: Asker,
    encode: (request: number) => Bytes,
  ): boolean {
    if (this.#isClosed) return false;
    const request = this.#next;
    const frame = encodeEventualFrame("request", group, encode(request));
    if (!this.#host.transport.send(to, frame)) return false;
    this.#next += 1;
    this.#open.set(request, { group, kind, to, deadlineMs, asker });
    return true;
  }

  /** `reader` stands behind the kind. An answer to what was not asked, or of somebody else, is ignored. */
  onAnswer(from: NodeId, group: GroupId, kind: number, reader: ByteReader): void {
    const request = reader.u48();
    const open = this.#open.get(request);
    if (open === undefined || open.to !== from || open.group !== group || open.kind !== kind) return;
    this.#open.delete(request);
    try {
      open.asker.onAnswer(from, reader);
    } catch (error) {
      if (error instanceof MinikeyError) open.asker.onUnanswered(from, "lost");
      throw error;
    }
  }

  /** What was asked of the node, or its answer, may be lost. */
  onDown(node: NodeId): void {
    this.#settle("lost", (open) => open.to === node);
  }

  sweep(): void {
    const nowMs = this.#host.clock.monotonicMs();
    this.#settle("late", (open) => open.deadlineMs <= nowMs);
  }

  /** Nothing can be asked any more. */
  close(): void {
    this.#isClosed = true;
    this.#settle("stopping", () => true);
  }

  #settle(why: Unanswered, isMeant: (open: OpenRequest) => boolean): void {
    for (const [request, open] of this.#open) {
      if (!isMeant(open)) continue;
      this.#open.delete(request);
      open.asker.onUnanswered(open.to, why);
    }
  }
}
