/**
 * Brings a node into its cluster: carries out the steps of forming.ts, and writes down what they lead to before
 * anyone else hears of it.
 */
import type { NodeId } from "../core/ids.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { Disk } from "../ports/disk.js";
import type { Logger } from "../ports/logger.js";
import type { Greeting, Transport } from "../ports/transport.js";
import type { Note } from "./cluster-view.js";
import { nextFormingStep } from "./forming.js";
import { type Identity, writeIdentity } from "./identity.js";
import { encodeNoteFrame } from "./peer-frames.js";
import { nodeStopping } from "./refusal.js";

export interface FormationOptions {
  readonly identity: Identity;
  readonly founders: readonly NodeId[];
  readonly address: string;
  /** Used if this node is the one to name the cluster. */
  readonly freshClusterId: string;
}

export interface FormationParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly transport: Transport;
  readonly logger: Logger;
}

const RETRY_MS = 200;
const REJOIN_AGAIN_MS = 2_000;
const TELL_AFTER_MS = 3_000;

export class Formation {
  readonly #options: FormationOptions;
  readonly #parts: FormationParts;
  readonly #founders: readonly NodeId[];
  readonly #greetings = new Map<NodeId, Greeting>();
  readonly #formed: Promise<Identity>;
  #identity: Identity;
  #cancelTimer: CancelTimer | undefined;
  #isWriting = false;
  #asked = 0;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** Which cluster each peer was of when it was asked: only such an answer is one. */
  readonly #askedOf = new Map<NodeId, string>();
  #toldMs: number;
  #resolve: (identity: Identity) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(options: FormationOptions, parts: FormationParts) {
    this.#options = options;
    this.#parts = parts;
    this.#identity = options.identity;
    this.#founders = [...options.founders].sort();
    this.#toldMs = parts.clock.monotonicMs();
    this.#formed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A node may be stopped before anyone waits for it.
    this.#formed.catch(() => undefined);
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Resolves once the node is a member. Rejects with `WRONG_CLUSTER`, or when the disk fails. */
  async run(): Promise<Identity> {
    this.#cancelTimer = this.#parts.clock.every(RETRY_MS, () => this.#advance());
    this.#advance();
    try {
      return await this.#formed;
    } finally {
      this.#cancelTimer();
    }
  }

  stop(): void {
    this.#reject(nodeStopping());
  }

  onGreeting(greeting: Greeting): void {
    this.#greetings.set(greeting.nodeId, greeting);
    this.#advance();
  }

  onDown(peer: NodeId): void {
    this.#greetings.delete(peer);
    this.#askedOf.delete(peer);
  }

  /** The cluster has given a disk of this node a new incarnation: this one's, unless another was lost before. */
  onRejoined(from: NodeId, { disk, memberNumber, incarnation }: Extract<Note, { kind: "rejoined" }>): void {
    const giver = this.#greetings.get(from);
    if (this.#identity.stage !== "fresh" || this.#isWriting || disk !== this.#identity.disk) return;
    if (giver?.stage !== "formed" || giver.clusterId !== this.#askedOf.get(from)) return;
    this.#become({
      ...this.#identity,
      clusterId: giver.clusterId,
      memberNumber,
      incarnation,
      stage: "formed",
    });
  }

  onRefused(from: NodeId, { disk, reason }: Extract<Note, { kind: "rejoin-refused" }>): void {
    if (this.#identity.stage !== "fresh" || disk !== this.#identity.disk) return;
    this.#parts.logger.warn("the cluster does not take this node back", { via: from, reason });
  }

  #advance(): void {
    if (this.#isWriting) return;
    const identity = this.#identity;
    const step = nextFormingStep(identity, this.#founders, this.#greetings, this.#options.freshClusterId);
    switch (step.step) {
      case "done":
        this.#resolve(identity);
        break;
      case "become": {
        const memberNumber = this.#founders.indexOf(identity.nodeId) + 1;
        const { clusterId, stage } = step;
        this.#become({ ...identity, clusterId, stage, memberNumber, incarnation: 1 });
        break;
      }
      case "rejoin":
        this.#askToRejoin(step.via);
        break;
      case "disagree":
        this.#tellDisagreement(step.peers);
        break;
      case "wait":
        this.#tellWaiting(step.missing);
    }
  }

  #become(identity: Identity): void {
    this.#isWriting = true;
    writeIdentity(this.#parts.disk, identity).then(
      () => {
        this.#isWriting = false;
        this.#identity = identity;
        this.#parts.transport.updateGreeting(greetingOf(identity, this.#options.address));
        this.#advance();
      },
      (error: unknown) => this.#reject(error),
    );
  }

  #askToRejoin(via: readonly NodeId[]): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#askedMs < REJOIN_AGAIN_MS) return;
    const peer = via[this.#asked % via.length];
    this.#asked += 1;
    const note: Note = { kind: "rejoin", disk: this.#identity.disk };
    if (!this.#parts.transport.send(peer, encodeNoteFrame(JSON.stringify(note)))) return;
    this.#askedMs = nowMs;
    this.#askedOf.set(peer, this.#greetings.get(peer)?.clusterId ?? "");
    this.#parts.logger.warn(
      "the data directory is empty, but the cluster knows this node: joining again with a new disk",
      { via: peer },
    );
  }

  #tellDisagreement(peers: readonly NodeId[]): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#toldMs < TELL_AFTER_MS) return;
    this.#toldMs = nowMs;
    this.#parts.logger.error(
      "waiting: the other nodes are of different clusters, or were started with another --cluster than this one",
      { peers: peers.join(", "), cluster: this.#founders.join(", ") },
    );
  }

  #tellWaiting(missing: readonly NodeId[]): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#toldMs < TELL_AFTER_MS) return;
    this.#toldMs = nowMs;
    this.#parts.logger.info("waiting for the other nodes: a new cluster starts when all of them are up", {
      missing: missing.join(", "),
    });
  }
}

export function greetingOf(identity: Identity, address: string): Greeting {
  const { nodeId, incarnation, clusterId, stage } = identity;
  return { nodeId, incarnation, clusterId, stage, address };
}
