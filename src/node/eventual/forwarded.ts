/**
 * A command that another node's replica carries out, as there is none here that may. A read goes to the next replica
 * when one does not answer; a write only when it has certainly not been taken.
 */
import type { ByteReader } from "../../codec/byte-reader.js";
import type { Reply } from "../../commands/reply.js";
import { decodeReplyFrom } from "../../commands/reply-encoding.js";
import type { Bytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { GroupId, NodeId } from "../../core/ids.js";
import type { Done } from "../coordinator.js";
import { nodeStopping } from "../refusal.js";
import { BUSY, DONE, numberRun, RAN, readOutcome } from "./frames.js";
import { type EventualLevel, tooFewReachable } from "./levels.js";
import type { EventualHost } from "./parts.js";
import type { Patience } from "./patience.js";
import type { Asker, PeerRequests, Unanswered } from "./peer-requests.js";

/** How long one replica is waited for before another is asked to read. */
const READ_ATTEMPT_MS = 500;
/** What the node that is asked has less, so that its answer is here in time. */
const ON_THE_WAY_MS = 50;

export interface ForwardingParts {
  readonly host: EventualHost;
  readonly requests: PeerRequests;
  readonly patience: Patience;
}

export interface Forwarding {
  readonly group: GroupId;
  readonly isWrite: boolean;
  readonly level: EventualLevel;
  /** As `encodeRun` makes it. */
  readonly run: Bytes;
  readonly deadlineMs: number;
  readonly done: Done;
  /** Carries it out here: this node's replica has been opened, or is complete, by now. */
  readonly runHere: (run: Bytes) => void;
}

export class ForwardedCommand implements Asker {
  readonly #parts: ForwardingParts;
  readonly #command: Forwarding;
  readonly #tried = new Set<NodeId>();
  #isBusy = false;

  constructor(parts: ForwardingParts, command: Forwarding) {
    this.#parts = parts;
    this.#command = command;
  }

  /** Asks the next replica that can be reached; when there is none, waits for one if that may help. */
  ask(): void {
    const { host, patience } = this.#parts;
    const { group, level, deadlineMs, done, run, runHere } = this.#command;
    if (host.replica(group)?.isComplete === true) {
      runHere(run);
      return;
    }
    const holders = host.holdersOf(group);
    for (const node of holders) if (this.#mayAsk(node) && this.#askOne(node)) return;
    this.#tried.clear();
    if (patience.wait(group, deadlineMs, () => this.ask())) return;
    if (patience.isClosed) done(nodeStopping());
    else if (this.#isBusy) done(new MinikeyError("OVERLOADED", "the key's replicas have too much to do"));
    else done(tooFewReachable(level, holders.length, 0));
  }

  #mayAsk(node: NodeId): boolean {
    const { host } = this.#parts;
    return node !== host.self && !this.#tried.has(node) && host.transport.isUp(node);
  }

  #askOne(node: NodeId): boolean {
    const { host, requests } = this.#parts;
    const { group, isWrite, run, deadlineMs } = this.#command;
    this.#tried.add(node);
    const nowMs = host.clock.monotonicMs();
    const untilMs = isWrite ? deadlineMs : Math.min(deadlineMs, nowMs + READ_ATTEMPT_MS);
    const encode = (request: number) => numberRun(run, request, untilMs - nowMs - ON_THE_WAY_MS);
    return requests.ask(node, group, RAN, untilMs, this, encode);
  }

  onAnswer(_from: NodeId, reader: ByteReader): void {
    const outcome = readOutcome(reader);
    const reply = outcome === DONE ? decodeReplyFrom(reader) : undefined;
    reader.expectEnd();
    if (reply !== undefined && !isElsewhere(reply)) {
      this.#parts.patience.onMet(this.#command.group);
      this.#command.done(reply);
      return;
    }
    this.#isBusy = outcome === BUSY;
    this.ask();
  }

  onUnanswered(from: NodeId, why: Unanswered): void {
    const { isWrite, done } = this.#command;
    if (isWrite) {
      const text = `${from} was asked to write and did not answer: it may have taken the write or not`;
      done(new MinikeyError("OUTCOME_UNKNOWN", text));
    } else if (why === "stopping") {
      done(nodeStopping());
    } else {
      this.ask();
    }
  }
}

/** The node that was asked ends, and has done nothing. */
const isElsewhere = (reply: Reply): boolean => reply instanceof MinikeyError && reply.code === "STOPPING";
