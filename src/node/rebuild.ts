/**
 * `--rebuild`, the part before anything is thrown away: asks the cluster to go on without what this directory
 * holds.
 *
 * Invariant: until `run` resolves, nothing in the directory has changed. It resolves only after the cluster's
 * majority has committed that this node comes back with another disk. This node takes no part in that majority,
 * and has no part in any other while it waits: so whatever was answered is on nodes that are up, and what is here
 * counts no more. Two nodes of three that are rebuilt at once both wait, and lose nothing.
 *
 * Peers are greeted as by a node without data: another that waits like this one is no proof of anything.
 */
import type { Bytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { NodeId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Greeting, Transport } from "../ports/transport.js";
import { parseNote } from "./cluster-view.js";
import { decodeFrame, encodeNoteFrame } from "./peer-frames.js";

export interface RebuildOptions {
  /** The cluster that the directory belongs to; empty when its identity cannot be read. */
  readonly clusterId: string;
  /** The name of the disk that the node is to come back with. */
  readonly disk: string;
  readonly peers: ReadonlyMap<NodeId, string>;
}

export interface RebuildParts {
  readonly clock: Clock;
  /** Not started yet; stopped when `run` is over. Its greeting is that of a fresh node of `clusterId`. */
  readonly transport: Transport;
  readonly logger: Logger;
}

const ADVANCE_MS = 200;
/** By then a group that cannot do without this node has lost its leader, and its peers know. */
const SETTLE_MS = 3_000;
const ASK_AGAIN_MS = 2_000;
const TELL_AFTER_MS = 3_000;

export class Rebuild {
  readonly #options: RebuildOptions;
  readonly #parts: RebuildParts;
  readonly #greetings = new Map<NodeId, Greeting>();
  readonly #startedMs: number;
  #resolve: (clusterId: string) => void = () => undefined;
  #asked = 0;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** Why the peer asked last would not do it. */
  #refusal = "";
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: RebuildOptions, parts: RebuildParts) {
    this.#options = options;
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonicMs();
  }

  /** Resolves with the cluster's id once it goes on without what is here. Rejects as `transport.start` does. */
  async run(): Promise<string> {
    const { clock, logger, transport } = this.#parts;
    const agreed = new Promise<string>((resolve) => {
      this.#resolve = resolve;
    });
    await transport.start({
      onFrame: (from, frame) => this.#onFrame(from, frame),
      onGreeting: (greeting) => this.#greetings.set(greeting.nodeId, greeting),
      onUp: () => undefined,
      onDown: (peer) => this.#greetings.delete(peer),
    });
    transport.setPeers(this.#options.peers);
    const cancelTimer = clock.every(ADVANCE_MS, () => this.#advance());
    const clusterId = await agreed;
    cancelTimer();
    await transport.stop();
    logger.warn(
      "rebuild: the cluster goes on without the data here; throwing it away and fetching it again",
      {
        cluster: clusterId,
      },
    );
    return clusterId;
  }

  #advance(): void {
    const { clock, transport } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#tellWaiting(nowMs);
    if (nowMs - this.#startedMs < SETTLE_MS || nowMs - this.#askedMs < ASK_AGAIN_MS) return;
    const home = this.#home();
    if (home.length === 0) return;
    // One may be cut off from the rest: the next time another is asked.
    const note = { kind: "rejoin", disk: this.#options.disk, rebuild: true };
    if (!transport.send(home[this.#asked % home.length], encodeNoteFrame(JSON.stringify(note)))) return;
    this.#asked += 1;
    this.#askedMs = nowMs;
  }

  /** Members of the cluster that are up. */
  #home(): NodeId[] {
    const { clusterId, peers } = this.#options;
    return [...peers.keys()].filter((peer) => {
      const greeting = this.#greetings.get(peer);
      return greeting?.stage === "formed" && (clusterId === "" || greeting.clusterId === clusterId);
    });
  }

  #onFrame(from: NodeId, bytes: Bytes): void {
    const note = readNote(bytes);
    if (note === undefined || note.kind === "report" || note.kind === "rejoin" || note.kind === "replaced")
      return;
    if (note.disk !== this.#options.disk || !this.#home().includes(from)) return;
    if (note.kind === "rejoin-refused") this.#refusal = `${from}: ${note.reason}`;
    else this.#resolve(this.#greetings.get(from)?.clusterId ?? "");
  }

  #tellWaiting(nowMs: number): void {
    if (nowMs - this.#toldMs < TELL_AFTER_MS) return;
    this.#toldMs = nowMs;
    this.#parts.logger.warn("rebuild: nothing is thrown away before the other replicas can do without it", {
      waitingFor: this.#whatFor(),
    });
  }

  #whatFor(): string {
    const { clusterId, peers } = this.#options;
    if (this.#home().length > 0) return this.#refusal === "" ? "the cluster's consent" : this.#refusal;
    const states = [...peers.keys()].map((peer) => {
      const greeting = this.#greetings.get(peer);
      if (greeting === undefined) return `${peer} (not reached)`;
      if (greeting.stage !== "formed") return `${peer} (has no data itself, or is being rebuilt)`;
      return `${peer} (belongs to cluster ${greeting.clusterId}, the data here to ${clusterId})`;
    });
    return `one of ${states.join(", ")}`;
  }
}

/** Undefined for anything but a note: this node takes part in nothing else. */
function readNote(bytes: Bytes): ReturnType<typeof parseNote> {
  try {
    const frame = decodeFrame(bytes);
    return frame.type === "note" ? parseNote(frame.text) : undefined;
  } catch (error) {
    if (!(error instanceof MinikeyError)) throw error;
    return undefined;
  }
}
