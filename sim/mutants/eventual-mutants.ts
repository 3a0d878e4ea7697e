/** Mistakes in eventual keyspaces: what replicas tell, take, merge, number, drop and count. */
import type { Attack, Mutant } from "./mutant.js";

const EVENTUAL: Attack = { scenario: "eventual", seedsMax: 100 };
const AWAY: Attack = { scenario: "eventual-away", seedsMax: 100 };
const FAR: Attack = { scenario: "eventual-far", seedsMax: 100 };
const CLOCKS: Attack = { scenario: "eventual-clocks", seedsMax: 100 };

const REPLICAS: readonly Mutant[] = [
  {
    name: "eventual-told-before-disk",
    mistake:
      "What a replica writes and takes is merged, told and answered while it is on its way to the disk.",
    file: "src/node/eventual/replica.ts",
    text: `      () => this.#onDurable(added.length),
    );
`,
    replacement: `      () => undefined,
    );
    this.#onDurable(added.length);
`,
    attack: EVENTUAL,
  },
  {
    name: "eventual-numbers-again",
    mistake: "A replica numbers its writes from 1 on when it starts.",
    file: "src/node/eventual/view.ts",
    text: "this.#filling = new StagedBatch(state.vector.get(state.self));",
    replacement: "this.#filling = new StagedBatch(0);",
    attack: EVENTUAL,
  },
  {
    name: "eventual-clock-alone",
    mistake: "A write is stamped by the clock, whatever the stamp of what it writes over.",
    file: "src/node/eventual/view.ts",
    text: "return this.#stamps.next(this.nowMs, laterStamp(stamp, this.#state.floor));",
    replacement: "return this.#stamps.next(this.nowMs, this.#state.floor);",
    attack: CLOCKS,
  },
  {
    name: "eventual-no-floor",
    mistake: "A write is later than what is there, and not than a deletion that was there and is dropped.",
    file: "src/node/eventual/view.ts",
    text: "return this.#stamps.next(this.nowMs, laterStamp(stamp, this.#state.floor));",
    replacement: "return this.#stamps.next(this.nowMs, stamp);",
    attack: CLOCKS,
  },
  {
    name: "eventual-empty-disk-answers",
    mistake: "A replica that has lost its disk answers, and counts, before it has anything.",
    file: "src/node/eventual/state.ts",
    text: "this.#isComplete = isFounder;",
    replacement: "this.#isComplete = isFounder || true;",
    attack: AWAY,
  },
  {
    name: "eventual-deleted-is-listed",
    mistake: "Whoever lists keys forgets that deletions are records, too.",
    file: "src/node/eventual/view.ts",
    text: "if (isThereAt(record, this.nowMs)) yield key;",
    replacement: "if (record.end > 0) yield key;",
    attack: EVENTUAL,
  },
];

const MERGING: readonly Mutant[] = [
  {
    name: "eventual-tie-by-arrival",
    mistake: "Of two writes of one stamp the one stays that came first.",
    file: "src/eventual/record.ts",
    text: "return stampA > stampB || (stampA === stampB && originOf(a) > originOf(b));",
    replacement: "return stampA > stampB;",
    attack: EVENTUAL,
  },
  {
    name: "eventual-expiry-of-arrival",
    mistake:
      "A record from elsewhere with the same value brings nothing: a later change of its expiry is lost.",
    file: "src/eventual/merge.ts",
    text: "const expiring = bases === 0 ? laterExpiry(a, b) : based;",
    replacement: "const expiring = based;",
    attack: EVENTUAL,
  },
  {
    name: "eventual-larger-sum-wins",
    mistake: "Of what a replica has added the larger sum is taken for the later.",
    file: "src/eventual/merge.ts",
    text: "const compareSlots = (a: CounterSlot, b: CounterSlot): number => a.number - b.number;",
    replacement: "const compareSlots = (a: CounterSlot, b: CounterSlot): number => Number(a.sum - b.sum);",
    attack: EVENTUAL,
  },
  {
    name: "eventual-seen-of-the-winner",
    mistake: "What was written over of a counter goes with the value that loses.",
    file: "src/eventual/merge.ts",
    text: "const seen = mergeSeen(a.seen, b.seen);",
    replacement: "const seen = based.seen;",
    attack: FAR,
  },
  {
    name: "eventual-deletion-forgets-slots",
    mistake: "A deletion does not say which additions it knew of.",
    file: "src/eventual/change.ts",
    text: `    seen: writtenOver(here.slots, here.seen, write),
    ...NO_VALUE,`,
    replacement: `    seen: here.seen,
    ...NO_VALUE,`,
    attack: EVENTUAL,
  },
  {
    name: "eventual-slot-without-beginning",
    mistake: "A slot that begins anew goes on where the one began that was written over.",
    file: "src/eventual/counter.ts",
    text: "return { origin, number, stamp, born: number, bornAtMs, endsAtMs, sum: BigInt(by) };",
    replacement: "return { origin, number, stamp, born: 1, bornAtMs, endsAtMs, sum: BigInt(by) };",
    attack: EVENTUAL,
  },
];

const TELLING: readonly Mutant[] = [
  {
    name: "eventual-sent-is-had",
    mistake: "What has been sent to a replica counts for a level as if it had said that it has it.",
    file: "src/node/eventual/partition-links.ts",
    text: "if (standing?.isComplete === true) acked.push(progress.acked);",
    replacement: "if (standing?.isComplete === true) acked.push(progress.sent);",
    attack: EVENTUAL,
  },
  {
    name: "eventual-half-is-a-quorum",
    mistake: "Half of the replicas are taken for a majority.",
    file: "src/node/eventual/levels.ts",
    text: "Math.floor(replicas / 2) + 1",
    replacement: "Math.ceil(replicas / 2)",
    attack: EVENTUAL,
  },
];

const DELETIONS: readonly Mutant[] = [
  {
    name: "eventual-dropped-unasked",
    mistake: "A round does not wait for replicas that have said nothing.",
    file: "src/eventual/drop-round.ts",
    text: "return told !== undefined && vector.covers(told.vector) && vector.get(other) >= told.given;",
    replacement: "return told === undefined || vector.covers(told.vector);",
    attack: AWAY,
  },
];

export const EVENTUAL_MUTANTS: readonly Mutant[] = [...REPLICAS, ...MERGING, ...TELLING, ...DELETIONS];
