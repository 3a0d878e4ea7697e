/** Random consensus values for the codecs' property tests. */
import * as fc from "fast-check";
import type {
  Configuration,
  Entry,
  HardState,
  Message,
  SnapshotMeta,
} from "../../../src/codec/raft-types.js";
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

const envelope = {
  from: u48.map(replicaId),
  to: u48.map(replicaId),
  term: u48.map((number) => term(Math.min(number, 2 ** 47))),
};

/** Terms never fall in a log, and none is of an election to come. */
function inOrder(append: Extract<Message, { type: "append" }>): Message {
  const { prevTerm, entries } = append;
  const terms = [prevTerm, ...entries.map((entry) => entry.term), append.term].sort((a, b) => a - b);
  const highest = term(Math.min(terms[terms.length - 1], 2 ** 47));
  const at = (i: number) => term(Math.min(terms[i], highest));
  return {
    ...append,
    term: highest,
    prevTerm: at(0),
    entries: entries.map(({ index, kind, data: bytes }, i) => ({
      index,
      term: at(i + 1),
      kind,
      data: bytes,
    })),
  };
}

/** Of a later term than what it holds, which is something. */
function possible(snapshot: Extract<Message, { type: "snapshot" }>): Message {
  const { meta } = snapshot;
  const { configuration } = meta;
  const voters = configuration.voters.length === 0 ? [replicaId(1)] : configuration.voters;
  return {
    ...snapshot,
    meta: {
      index: logIndex(Math.max(meta.index, 1)),
      term: term(Math.min(meta.term, snapshot.term)),
      configuration: { ...configuration, voters },
    },
  };
}

const appends = fc.integer({ min: 0, max: 2 ** 47 }).chain((prevIndex) =>
  record<Extract<Message, { type: "append" }>>({
    type: fc.constant("append" as const),
    ...envelope,
    prevIndex: fc.constant(logIndex(prevIndex)),
    prevTerm: u48.map(term),
    entries: entriesFrom(prevIndex + 1),
    commit: u48.map(logIndex),
  }).map(inOrder),
);

/** Messages of every type, as a replica could send them. */
export const messages: fc.Arbitrary<Message> = fc.oneof(
  appends,
  record<Extract<Message, { type: "append-response" }>>({
    type: fc.constant("append-response" as const),
    ...envelope,
    index: u48.map(logIndex),
    reject: fc.boolean(),
    hintIndex: u48.map(logIndex),
    hintTerm: u48.map(term),
  }),
  record<Extract<Message, { type: "heartbeat" }>>({
    type: fc.constant("heartbeat" as const),
    ...envelope,
    commit: u48.map(logIndex),
    readRound: u48,
  }),
  record<Extract<Message, { type: "heartbeat-response" }>>({
    type: fc.constant("heartbeat-response" as const),
    ...envelope,
    readRound: u48,
  }),
  record<Extract<Message, { type: "vote" }>>({
    type: fc.constant("vote" as const),
    ...envelope,
    pre: fc.boolean(),
    lastIndex: u48.map(logIndex),
    lastTerm: u48.map(term),
    transfer: fc.boolean(),
  }),
  record<Extract<Message, { type: "vote-response" }>>({
    type: fc.constant("vote-response" as const),
    ...envelope,
    pre: fc.boolean(),
    reject: fc.boolean(),
  }),
  record<Extract<Message, { type: "snapshot" }>>({
    type: fc.constant("snapshot" as const),
    ...envelope,
    meta: metas,
    offsetBytes: u48,
    data,
    done: fc.boolean(),
  }).map(possible),
  record<Extract<Message, { type: "snapshot-response" }>>({
    type: fc.constant("snapshot-response" as const),
    ...envelope,
    index: u48.map(logIndex),
    offsetBytes: u48,
    reject: fc.boolean(),
  }),
  record<Extract<Message, { type: "read-index" }>>({
    type: fc.constant("read-index" as const),
    ...envelope,
    context: u48,
  }),
  record<Extract<Message, { type: "read-index-response" }>>({
    type: fc.constant("read-index-response" as const),
    ...envelope,
    context: u48,
    index: u48.map(logIndex),
  }),
  record<Extract<Message, { type: "timeout-now" }>>({
    type: fc.constant("timeout-now" as const),
    ...envelope,
  }),
);
