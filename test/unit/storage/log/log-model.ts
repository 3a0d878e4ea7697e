/**
 * What a log must know of its groups, kept the plainest way: whole lists of entries. Tests compare what is
 * recovered with the model as it was after some number of operations.
 */
import type { Entry, HardState, SnapshotMeta } from "../../../../src/codec/raft-types.js";
import { utf8ToBytes } from "../../../../src/core/bytes.js";
import { type GroupId, groupId, logIndex, replicaId, term } from "../../../../src/core/ids.js";
import type { LogAppend, RecoveredGroup } from "../../../../src/storage/log/types.js";

export interface ModelGroup {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  readonly entries: readonly Entry[];
}

export type ModelState = ReadonlyMap<GroupId, ModelGroup>;

export type LogOperation =
  | { readonly kind: "append"; readonly append: LogAppend }
  | { readonly kind: "compact"; readonly group: GroupId; readonly snapshot: SnapshotMeta }
  | { readonly kind: "drop"; readonly group: GroupId };

export const NEW_GROUP: ModelGroup = {
  hardState: { term: term(0), vote: replicaId(0), commit: logIndex(0) },
  snapshot: {
    index: logIndex(0),
    term: term(0),
    configuration: { voters: [], votersOutgoing: [], learners: [] },
  },
  entries: [],
};

export function applyToModel(state: ModelState, operation: LogOperation): ModelState {
  const next = new Map(state);
  if (operation.kind === "drop") next.delete(operation.group);
  else if (operation.kind === "compact") compact(next, operation.group, operation.snapshot);
  else append(next, operation.append);
  return next;
}

function compact(state: Map<GroupId, ModelGroup>, group: GroupId, snapshot: SnapshotMeta): void {
  const known = state.get(group) ?? NEW_GROUP;
  if (snapshot.index <= known.snapshot.index) return;
  state.set(group, { ...known, snapshot, entries: entriesAfter(known, snapshot.index) });
}

function append(state: Map<GroupId, ModelGroup>, { group, hardState, entries, snapshot }: LogAppend): void {
  let known = state.get(group) ?? NEW_GROUP;
  if (snapshot !== undefined) {
    const same = termAt(known, snapshot.index) === snapshot.term;
    known = { ...known, snapshot, entries: same ? entriesAfter(known, snapshot.index) : [] };
  }
  if (entries.length > 0) {
    const kept = known.entries.filter(({ index }) => index < entries[0].index);
    known = { ...known, entries: [...kept, ...entries] };
  }
  if (hardState !== undefined) known = { ...known, hardState };
  state.set(group, known);
}

export function lastIndexOf(group: ModelGroup): number {
  return group.entries.at(-1)?.index ?? group.snapshot.index;
}

export function termAt(group: ModelGroup, index: number): number | undefined {
  if (index === group.snapshot.index) return group.snapshot.term;
  return group.entries.find((entry) => entry.index === index)?.term;
}

function entriesAfter(group: ModelGroup, index: number): Entry[] {
  return group.entries.filter((entry) => entry.index > index);
}

/** As text, so that two states can be compared and a difference read. */
export function describeState(state: ReadonlyMap<GroupId, RecoveredGroup>): string {
  const lines = [...state]
    .sort(([a], [b]) => a - b)
    .map(([group, { hardState, snapshot, entries }]) => {
      const shown = entries.map(
        ({ index, term, kind, data }) => `${index}/${term}${kind[1]}:${data.utf8Slice()}`,
      );
      return `${group} ${JSON.stringify(hardState)} ${JSON.stringify(snapshot)} ${shown.join(",")}`;
    });
  return lines.join("\n");
}

/** Short-hands for tests. */
export const entry = (index: number, entryTerm: number, text: string): Entry => ({
  index: logIndex(index),
  term: term(entryTerm),
  kind: "command",
  data: utf8ToBytes(text),
});

export const snapshotAt = (index: number, snapshotTerm: number, voter = 1): SnapshotMeta => ({
  index: logIndex(index),
  term: term(snapshotTerm),
  configuration: { voters: [replicaId(voter)], votersOutgoing: [], learners: [] },
});

export const hardState = (current: number, vote: number, commit: number): HardState => ({
  term: term(current),
  vote: replicaId(vote),
  commit: logIndex(commit),
});

export const appendTo = (
  group: number,
  entries: readonly Entry[],
  more: { hardState?: HardState; snapshot?: SnapshotMeta } = {},
): LogAppend => ({
  group: groupId(group),
  entries,
  hardState: more.hardState,
  snapshot: more.snapshot,
});
