/** A write-ahead log, with its observer told of everything before anybody else is. */
import type { SnapshotMeta } from "../../src/codec/raft-types.js";
import { crc32c } from "../../src/core/crc32c.js";
import type { GroupId, NodeId } from "../../src/core/ids.js";
import type { LogAppend, WriteAheadLog } from "../../src/storage/log/types.js";
import type { Trace } from "../world/trace.js";

/** Kinds of events in the digest. */
const APPENDED = 31;
const DURABLE = 32;
const COMPACTED = 33;
const DROPPED = 34;

/** Whoever looks at the groups of a kind. */
export interface LogObserver {
  onAppend(node: NodeId, append: LogAppend): void;
  onDurable(node: NodeId, append: LogAppend): void;
  onCompact(node: NodeId, group: GroupId, snapshot: SnapshotMeta): void;
  onDrop(node: NodeId, group: GroupId): void;
}

export function observedLog(
  log: WriteAheadLog,
  node: NodeId,
  observerOf: (group: GroupId) => LogObserver,
  trace: Trace,
): WriteAheadLog {
  return {
    append: (append, onDurable) => {
      const { group, hardState, entries } = append;
      let hash = hardState === undefined ? 0 : hardState.term * 31 + hardState.vote;
      for (const { data, index } of entries) hash = crc32c(data, 0, data.length, hash + index);
      trace.note(APPENDED, group, hash);
      if (trace.isWritten) {
        const state = hardState === undefined ? "" : ` term ${hardState.term}, vote ${hardState.vote}`;
        const range = entries.length === 0 ? "" : ` entries ${entries[0].index} to ${entries.at(-1)?.index}`;
        trace.say(node, `log       ${group}:${state}${range}`);
      }
      const observer = observerOf(group);
      observer.onAppend(node, append);
      log.append(append, () => {
        trace.note(DURABLE, group, entries.length);
        observer.onDurable(node, append);
        onDurable();
      });
    },
    flush: () => log.flush(),
    compact: (group, snapshot) => {
      trace.note(COMPACTED, group, snapshot.index);
      observerOf(group).onCompact(node, group, snapshot);
      log.compact(group, snapshot);
    },
    dropGroup: (group, onDurable) => {
      trace.note(DROPPED, group, 0);
      observerOf(group).onDrop(node, group);
      log.dropGroup(group, onDurable);
    },
    sizeBytes: () => log.sizeBytes(),
    close: () => log.close(),
  };
}
