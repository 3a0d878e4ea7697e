/** Messages and entries as scenarios print them: `1->2 append after 3/1: 4/2 x; commit 3`. */
import { decodeConfiguration } from "../../../src/codec/raft-entry.js";
import type { Configuration, Entry, Message } from "../../../src/codec/raft-types.js";
import type { Append } from "../../../src/raft/types.js";

export function describeConfiguration({ voters, votersOutgoing, learners }: Configuration): string {
  const parts = [`voters ${voters.join() || "none"}`];
  if (votersOutgoing.length > 0) parts.push(`outgoing ${votersOutgoing.join()}`);
  if (learners.length > 0) parts.push(`learners ${learners.join()}`);
  return parts.join(", ");
}

/** `index/term` and what it says. */
export function describeEntry({ index, term, kind, data }: Entry): string {
  const place = `${index}/${term}`;
  if (kind === "noop") return `${place} noop`;
  if (kind === "config") return `${place} {${describeConfiguration(decodeConfiguration(data))}}`;
  return data.length === 0 ? place : `${place} ${data.utf8Slice()}`;
}

export function describeAppend({ number, hardState, entries, snapshot }: Append): string {
  const parts: string[] = [];
  if (hardState !== undefined) parts.push(`term ${hardState.term} vote ${hardState.vote}`);
  if (snapshot !== undefined) parts.push(`snapshot ${snapshot.index}/${snapshot.term}`);
  if (entries.length > 0) parts.push(entries.map(describeEntry).join(" "));
  return `writes #${number}: ${parts.join(", ")}`;
}

export function describeMessage(message: Message): string {
  return `${message.from}->${message.to} ${describeBody(message)} [${message.term}]`;
}

function describeBody(message: Message): string {
  switch (message.type) {
    case "append": {
      const entries = message.entries.map(describeEntry).join(" ");
      return `append after ${message.prevIndex}/${message.prevTerm}: ${entries || "nothing"}; commit ${message.commit}`;
    }
    case "append-response":
      return message.reject
        ? `refuses after ${message.index}, try ${message.hintIndex}/${message.hintTerm}`
        : `has ${message.index}`;
    case "heartbeat":
      return `heartbeat, commit ${message.commit}${message.readRound === 0 ? "" : `, round ${message.readRound}`}`;
    case "heartbeat-response":
      return `heard${message.readRound === 0 ? "" : `, round ${message.readRound}`}`;
    case "vote":
      return `${message.pre ? "pre-vote" : "vote"}? log ends ${message.lastIndex}/${message.lastTerm}${message.transfer ? ", asked by the leader" : ""}`;
    case "vote-response":
      return `${message.pre ? "pre-vote" : "vote"}: ${message.reject ? "no" : "yes"}`;
    case "snapshot":
      return `snapshot of ${message.meta.index}/${message.meta.term}, ${message.data.length} bytes at ${message.offsetBytes}${message.done ? ", done" : ""}`;
    case "snapshot-response":
      return `${message.reject ? "refuses" : "has"} ${message.offsetBytes} bytes of snapshot ${message.index}`;
    case "read-index":
      return "read-index?";
    case "read-index-response":
      return message.index === 0 ? "read-index: unknown" : `read-index: ${message.index}`;
    case "timeout-now":
      return "run now";
    default:
      return String(message satisfies never);
  }
}
