/** Random consensus values for the codecs' property tests. */
import * as fc from "fast-check";
import type { Configuration, Entry, HardState, SnapshotMeta } from "../../../src/codec/raft-types.js";
import { asBytes } from "../../../src/core/bytes.js";
import { logIndex, replicaId, term } from "../../../src/core/ids.js";

/** Small numbers, numbers around 2^32, and the largest that fits. */
export const u48 = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 2 ** 31 - 2, max: 2 ** 32 + 2 }),
  fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  fc.constant(2 ** 48 - 1),
);

/** Plain objects, as the decoders make them: deepEqual compares prototypes. */
export function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const ids = fc.array(u48.map(replicaId), { maxLength: 6 });

export const data = fc.uint8Array({ maxLength: 40 }).map(asBytes);

export const hardStates: fc.Arbitrary<HardState> = record({
  term: u48.map(term),
  vote: u48.map(replicaId),
  commit: u48.map(logIndex),
});

export const configurations: fc.Arbitrary<Configuration> = record({
  voters: ids,
  votersOutgoing: ids,
  learners: ids,
});

export const metas: fc.Arbitrary<SnapshotMeta> = record({
  index: u48.map(logIndex),
  term: u48.map(term),
  configuration: configurations,
});

/** Consecutive entries from `first` on. */
export function entriesFrom(first: number): fc.Arbitrary<Entry[]> {
  const body = record({
    term: u48.map(term),
    kind: fc.constantFrom("command" as const, "config" as const, "noop" as const),
    data,
  });
  return fc
    .array(body, { maxLength: 6 })
    .map((bodies) => bodies.map((rest, i) => ({ index: logIndex(first + i), ...rest })));
}
