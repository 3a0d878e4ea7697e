/**
 * Durable engines on a schedule, and the log shortened behind them.
 *
 * The disk engine holds what was written in memory until a checkpoint has saved it. When writes come faster than
 * the disk saves them, for long, that would grow without end: so past a bound the node is behind, and until the
 * disk has caught up it proposes no writes where it leads (they wait, and are refused with `OVERLOADED` when their
 * time is over). What the others lead it still follows, up to twice the bound. Then it takes no more of that either:
 * the rest of the cluster goes on without it, and brings it up to date later.
 */
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { StorageEngine } from "../ports/storage-engine.js";
import type { EventualReplicas } from "./eventual/replicas.js";
import type { Groups } from "./groups.js";

/** Checkpoint when so much would have to be read or written again after a crash. */
const UNCHECKPOINTED_BYTES_MAX = 32 * 1024 * 1024;
const LOG_BYTES_MAX = 192 * 1024 * 1024;
/** … and when nothing else asks for one. */
const CHECKPOINT_PERIOD_MS = 60_000;

export interface CheckpointParts {
  readonly diskEngine: StorageEngine;
  readonly memoryEngine: StorageEngine;
  readonly groups: Groups;
  readonly eventual: Pick<EventualReplicas, "onCheckpointed">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onFailure: (error: unknown) => void;
}

/** `behind`: writes that this node leads wait. `far`: not even what others lead can be taken. */
export type StorageLag = "none" | "behind" | "far";

const FAR = 2;

function lagOf(unsavedBytes: number, bytesMax: number): StorageLag {
  if (unsavedBytes <= bytesMax) return "none";
  return unsavedBytes <= FAR * bytesMax ? "behind" : "far";
}

export class Checkpoints {
  readonly #parts: CheckpointParts;
  readonly #unsavedBytesMax: number;
  #lastMs: number;
  /** The log's size after the last checkpoint: what that could not shorten asks for no other. */
  #logBytesLeft = 0;
  #lag: StorageLag = "none";
  #running: Promise<void> | undefined;

  /** `unsavedBytesMax`: what the disk engine may hold in memory before writes have to wait for it. */
  constructor(parts: CheckpointParts, unsavedBytesMax: number) {
    this.#parts = parts;
    this.#unsavedBytesMax = unsavedBytesMax;
    this.#lastMs = parts.clock.monotonicMs();
  }

  /** As of the last look. */
  get lag(): StorageLag {
    return this.#lag;
  }

  /** Looks at how much there is to save, and starts a checkpoint when one is due. */
  run(): void {
    const { diskEngine, memoryEngine, groups, clock, onFailure } = this.#parts;
    this.#look();
    if (this.#running !== undefined) return;
    const dirtyBytes = diskEngine.uncheckpointedBytes() + memoryEngine.uncheckpointedBytes();
    const isOld = clock.monotonicMs() - this.#lastMs > CHECKPOINT_PERIOD_MS;
    // Entries that change nothing make the log longer, too.
    const isLogLong = groups.log.sizeBytes() > this.#logBytesLeft + LOG_BYTES_MAX;
    const isMuch = dirtyBytes > UNCHECKPOINTED_BYTES_MAX || this.#lag !== "none";
    if (isMuch || isLogLong || (isOld && dirtyBytes > 0)) this.now().catch(onFailure);
  }

  /** Resolves when everything applied so far is durable in the engines. */
  async now(): Promise<void> {
    await this.#running;
    const running = this.#checkpoint();
    this.#running = running;
    await running;
    if (this.#running === running) this.#running = undefined;
  }

  async #checkpoint(): Promise<void> {
    const { diskEngine, memoryEngine, groups, eventual, clock, onFailure } = this.#parts;
    this.#lastMs = clock.monotonicMs();
    try {
      await Promise.all([diskEngine.checkpoint(), memoryEngine.checkpoint()]);
      for (const group of groups.all()) group.onCheckpointed();
      eventual.onCheckpointed();
      groups.log.flush();
      this.#logBytesLeft = Math.min(groups.log.sizeBytes(), LOG_BYTES_MAX);
    } catch (error) {
      onFailure(error);
    }
  }

  #look(): void {
    const { diskEngine, logger } = this.#parts;
    const unsavedBytes = diskEngine.unsavedBytes();
    const before = this.#lag;
    this.#lag = lagOf(unsavedBytes, this.#unsavedBytesMax);
    if (this.#lag === "none" && before !== "none") {
      logger.info("the disk has caught up: writes go on", { unsavedBytes });
    } else if (this.#lag !== "none" && before === "none") {
      logger.warn("writes outrun the disk: they wait until it has saved more", { unsavedBytes });
    }
  }
}
