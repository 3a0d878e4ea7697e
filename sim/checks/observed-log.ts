/** A write-ahead log, with its observer told of everything before anybody else is. */
import { crc32c } from "../../src/core/crc32c.js";
import type { NodeId } from "../../src/core/ids.js";
import type { WriteAheadLog } from "../../src/storage/log/types.js";
import type { Trace } from "../world/trace.js";
import type { RaftSafety } from "./raft-safety.js";

/** Kinds of events in the digest. */
const APPENDED = 31;
const DURABLE = 32;
const COMPACTED = 33;
const DROPPED = 34;

export function observedLog(
  log: WriteAheadLog,
  node: NodeId,
  safety: RaftSafety,
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
      safety.onAppend(node, append);
      log.append(append, () => {
        trace.note(DURABLE, group, entries.length);
        safety.onDurable(node, append);
        onDurable();
      });
    },
    flush: () => log.flush(),
    compact: (group, snapshot) => {
      trace.note(COMPACTED, group, snapshot.index);
      safety.onCompact(node, group, snapshot);
      log.compact(group, snapshot);
    },
    dropGroup: (group, onDurable) => {
      trace.note(DROPPED, group, 0);
      safety.onDrop(node, group);
      log.dropGroup(group, onDurable);
    },
    sizeBytes: () => log.sizeBytes(),
    close: () => log.close(),
  };
}
