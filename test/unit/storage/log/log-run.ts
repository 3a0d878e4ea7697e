/**
 * Drives a log on a simulated disk beside the model: notes every operation given to it and every
 * acknowledgement, stops the machine, and checks that what a restart recovers is the model's state after all
 * acknowledged operations, or after some of those that followed, never anything else.
 */
import assert from "node:assert/strict";
import { type Chance, SimDisk } from "../../../../sim/disk/sim-disk.js";
import type { MinikeyError } from "../../../../src/core/errors.js";
import type { GroupId } from "../../../../src/core/ids.js";
import { openLog } from "../../../../src/storage/log/open-log.js";
import type { LogAppend, RecoveryReport, WriteAheadLog } from "../../../../src/storage/log/types.js";
import { applyToModel, describeState, type LogOperation, type ModelState } from "./log-model.js";

export const DIRECTORY = "log";

export class LogRun {
  readonly chance: Chance;
  readonly segmentBytes: number;
  disk: SimDisk;
  log: WriteAheadLog | undefined;
  failures: MinikeyError[] = [];
  /** Segments for which there was no room ahead of need. */
  fullAt: string[] = [];
  reports: RecoveryReport[] = [];
  /** `#states[i]`: the model after `i` of the operations given to the log since the last restart. */
  #states: ModelState[] = [new Map()];
  /** That many of them are acknowledged. */
  #acknowledged = 0;
  #pendingAcknowledgements = 0;

  constructor(chance: Chance, segmentBytes: number) {
    this.chance = chance;
    this.segmentBytes = segmentBytes;
    this.disk = new SimDisk(chance);
  }

  /** The model after everything given to the log. */
  get state(): ModelState {
    return this.#states[this.#states.length - 1];
  }

  get acknowledgedState(): ModelState {
    return this.#states[this.#acknowledged];
  }

  get allAcknowledged(): boolean {
    return this.#pendingAcknowledgements === 0;
  }

  give(operation: LogOperation): void {
    const { log } = this;
    assert(log !== undefined, "the log is open");
    this.#states.push(applyToModel(this.state, operation));
    if (operation.kind === "compact") log.compact(operation.group, operation.snapshot);
    else if (operation.kind === "drop") this.#drop(log, operation.group);
    else this.#append(log, operation.append);
  }

  #append(log: WriteAheadLog, append: LogAppend): void {
    log.append(append, this.#acknowledge());
  }

  #drop(log: WriteAheadLog, group: GroupId): void {
    log.dropGroup(group, this.#acknowledge());
  }

  /** What the log calls when the latest operation is durable. */
  #acknowledge(): () => void {
    const { disk } = this;
    const number = this.#states.length - 1;
    this.#pendingAcknowledgements += 1;
    return () => {
      // The process is gone with the machine: nobody hears of what its disk had done just before.
      if (disk.stopped) return;
      assert.equal(this.failures.length, 0, "nothing is acknowledged after a failure");
      assert(number > this.#acknowledged, "acknowledgements come in the order of the appends");
      this.#acknowledged = number;
      this.#pendingAcknowledgements -= 1;
    };
  }

  /** Resolves when all is acknowledged, the machine has stopped, or the log has failed. */
  async settle(): Promise<void> {
    this.log?.flush();
    while (!this.allAcknowledged && !this.disk.stopped && this.failures.length === 0) await turn();
  }

  /** Opens the log; false when the machine stopped meanwhile. What it recovers must agree with the model. */
  async open(): Promise<boolean> {
    const opened = await Promise.race([this.#openLog(), this.disk.whenStopped]);
    if (opened === undefined) return false;
    this.log = opened.log;
    this.reports.push(opened.report);
    this.#agree(opened.report);
    return true;
  }

  /** Opens the log and compares nothing. */
  async openAnyway(): Promise<RecoveryReport> {
    return (await this.#openLog()).report;
  }

  #openLog(): Promise<{ log: WriteAheadLog; report: RecoveryReport }> {
    return openLog(this.disk, DIRECTORY, {
      random: {
        unit: this.chance,
        below: (bound) => Math.floor(this.chance() * bound),
        id48: () => Math.floor(this.chance() * 2 ** 48),
      },
      segmentBytes: this.segmentBytes,
      onFailure: (error) => this.failures.push(error),
      onFull: (path) => this.fullAt.push(path),
    });
  }

  /** The next process begins on what the last one left. */
  restart(how: "kill" | "power loss"): void {
    this.disk = this.disk.restart(how);
    this.log = undefined;
    this.failures = [];
  }

  #agree({ groups }: RecoveryReport): void {
    const recovered = describeState(groups);
    for (let i = this.#acknowledged; i < this.#states.length; i += 1) {
      if (describeState(this.#states[i]) !== recovered) continue;
      // The log decided how much of what was not acknowledged is there; from now on that is the truth.
      this.#states = [this.#states[i]];
      this.#acknowledged = 0;
      this.#pendingAcknowledgements = 0;
      return;
    }
    assert.equal(
      recovered,
      describeState(this.acknowledgedState),
      "what is recovered is what was acknowledged, or that and some of the operations after it",
    );
  }
}

/** One turn of the event loop: all microtasks run first. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
