/** Mistakes in what lies on disk: the log, its recovery, checkpoints, snapshots. */
import { ANY, type Attack, GROUP, type Mutant } from "./mutant.js";

/** Real files, on disks that fail, tear and forget. */
const DISKS: Attack = { scenario: "disks", seedsMax: 200 };

const LOG: readonly Mutant[] = [
  {
    name: "write-without-sync",
    mistake:
      "The log's file is not opened for durable writes: what a write has answered is in the cache alone.",
    file: "src/storage/log/spare-segment.ts",
    text: "const file = await disk.open(path, { create: true, durable: true });",
    replacement: "const file = await disk.open(path, { create: true });",
    attack: DISKS,
  },
  {
    name: "no-tail-check",
    mistake:
      "Recovery ends at the first unit that is not intact, and does not look whether anything follows.",
    file: "src/storage/log/scan.ts",
    text: "    return proveEnd(places, this.#logId, Math.max(1, this.#nextSequence));\n",
    replacement: "    return Promise.resolve(undefined);\n",
    attack: DISKS,
  },
  {
    name: "unchecked-records",
    mistake: "A unit with an intact header is taken without its records' checksums.",
    file: "src/storage/log/segment-reader.ts",
    text: "return damaged === undefined ? header : undefined;",
    replacement: "return header;",
    attack: DISKS,
  },
  {
    name: "segment-removed-early",
    mistake: "A segment is removed when the one after it begins, also while entries in it count.",
    file: "src/storage/log/segmented-log.ts",
    text: "this.#segments.find(({ segment }) => segment >= writing || this.#ledger.hasRuns(segment));",
    replacement: "this.#segments.find(({ segment }) => segment >= writing);",
    attack: DISKS,
  },
  {
    name: "retry-after-failed-write",
    mistake: "After a failed write the log goes on with the next one, as if nothing had been.",
    file: "src/storage/log/segmented-log.ts",
    text: `      } catch (error) {
        this.#fail(error);
        break;
      }
      if (this.#failure`,
    replacement: `      } catch {
        continue;
      }
      if (this.#failure`,
    attack: DISKS,
  },
];

const CHECKPOINTS: readonly Mutant[] = [
  {
    name: "compact-before-checkpoint",
    mistake:
      "After a checkpoint the log is shortened up to what is applied, not to what the checkpoint holds.",
    file: "src/node/replica-group.ts",
    text: "this.#host.log.compact(this.id, covered);",
    replacement: "this.#host.log.compact(this.id, this.core.metaAt(this.machine.appliedIndex));",
    attack: ANY,
  },
  {
    name: "checkpoint-index-of-later",
    mistake:
      "A checkpoint is taken of one moment, and carries the applied index of when its file is written.",
    file: "src/storage/memory/engine.ts",
    text: "await this.#files.save(group.group, snapshot.applied, snapshot.pieces);",
    replacement: "await this.#files.save(group.group, group.capture(), snapshot.pieces);",
    attack: DISKS,
  },
  {
    name: "checkpoint-changes-under-way",
    mistake: "What was written just before a checkpoint may be changed in place while it is being saved.",
    file: "src/storage/memory/trie-versions.ts",
    text: "return epoch <= this.#newestSnapshot;",
    replacement: "return epoch < this.#newestSnapshot;",
    attack: DISKS,
  },
  {
    name: "checkpoint-not-synced",
    mistake: "A snapshot's file is renamed before its content is durable.",
    file: "src/storage/memory/snapshot-file.ts",
    text: "    await this.#file.sync();\n",
    replacement: "",
    attack: DISKS,
  },
  {
    name: "apply-twice-after-restart",
    mistake: "A restarted replica applies its log from the start, whatever its state holds already.",
    file: "src/raft/replica.ts",
    text: "this.handedToApply = restored.appliedIndex;",
    replacement: "this.handedToApply = snapshot.index;",
    attack: GROUP,
  },
  {
    name: "snapshot-without-index",
    mistake: "An installed snapshot replaces the data, and the state machine keeps its own applied index.",
    file: "src/node/partition-machine.ts",
    text: `    this.#appliedIndex = applied.index;
    this.#appliedTerm = applied.term;
    this.#timeMs`,
    replacement: "    this.#timeMs",
    attack: ANY,
  },
  {
    name: "install-over-newer-state",
    mistake:
      "A snapshot is installed whenever the log does not hold its last entry, also when it is an old one.",
    file: "src/raft/snapshots.ts",
    text: "if (meta.index <= replica.commit || replica.log.termAt(meta.index) === meta.term) {",
    replacement: "if (replica.log.termAt(meta.index) === meta.term) {",
    attack: GROUP,
  },
];

export const STORAGE_MUTANTS: readonly Mutant[] = [...LOG, ...CHECKPOINTS];
