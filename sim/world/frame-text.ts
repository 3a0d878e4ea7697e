/** Frames between nodes, in the words of a timeline. */
import type { Message } from "../../src/codec/raft-types.js";
import type { Bytes } from "../../src/core/bytes.js";
import { decodeFrame, type PeerFrame } from "../../src/node/peer-frames.js";

/** Notes are JSON, and can be long. */
const NOTE_CHARACTERS_MAX = 120;

export function frameText(frame: Bytes): string {
  const decoded: PeerFrame = decodeFrame(frame);
  switch (decoded.type) {
    case "raft":
      return `${decoded.group}: ${messageText(decoded.message)}`;
    case "write":
      return `${decoded.group}: write, ${decoded.batch.length} bytes`;
    case "write-result":
      return `${decoded.group}: write ${decoded.sequence} ${decoded.status}`;
    case "read":
      return `${decoded.group}: read ${decoded.request} ${decoded.guarantee}`;
    case "read-result":
      return `${decoded.group}: read ${decoded.request} ${decoded.replies === undefined ? "not done" : "done"}`;
    case "sync":
    case "request":
      return `${decoded.group}: ${decoded.type}, ${decoded.body.length} bytes`;
    case "note":
      return `note ${decoded.text.slice(0, NOTE_CHARACTERS_MAX)}`;
  }
}

function messageText(message: Message): string {
  const head = `${message.type}, term ${message.term}`;
  switch (message.type) {
    case "append": {
      const { prevIndex, prevTerm, entries, commit } = message;
      return `${head}: ${entries.length} entries after ${prevIndex} of term ${prevTerm}, commit ${commit}`;
    }
    case "append-response":
      return `${head}: ${message.reject ? "not after" : "up to"} ${message.index}`;
    case "heartbeat":
      return `${head}: commit ${message.commit}, round ${message.readRound}`;
    case "heartbeat-response":
      return `${head}: round ${message.readRound}`;
    case "vote":
      return `${message.pre ? "pre-" : ""}${head}: log ends with ${message.lastIndex} of term ${message.lastTerm}`;
    case "vote-response":
      return `${message.pre ? "pre-" : ""}${head}: ${message.reject ? "no" : "yes"}`;
    case "snapshot":
      return `${head}: of ${message.meta.index}, ${message.data.length} bytes at ${message.offsetBytes}`;
    case "snapshot-response":
      return `${head}: of ${message.index}, ${message.reject ? "refused" : `${message.offsetBytes} bytes`}`;
    case "read-index":
      return `${head}: ${message.context}`;
    case "read-index-response":
      return `${head}: ${message.context} at ${message.index}`;
    case "timeout-now":
      return head;
  }
}
