/**
 * A message arrives: first the rules about terms, which are the same for every message (§3.3), then the part
 * that it concerns.
 */
import type { Message } from "../codec/raft-types.js";
import { unreachable } from "../core/assert.js";
import { NOBODY } from "./configuration.js";
import { isVoteUntimely, onTimeoutNow, onVoteRequest, onVoteResponse, refuseVote } from "./election.js";
import { onAppend, onHeartbeat, refuseOldLeader } from "./follower.js";
import { onReadRequest, onReadResponse } from "./reads.js";
import type { Replica } from "./replica.js";
import { onAppendResponse, onHeartbeatResponse } from "./replication.js";
import { becomeFollower } from "./roles.js";
import { onPiece, onPieceResponse } from "./snapshots.js";

/**
 * A message of a later term: enters it. A pre-vote and its approval are about a term that has not begun.
 * Returns false when the message is to be ignored.
 */
export function enterTerm(replica: Replica, message: Message): boolean {
  if (message.type === "vote") {
    if (isVoteUntimely(replica, message)) return false;
    if (message.pre) return true;
  }
  if (message.type === "vote-response" && message.pre && !message.reject) return true;
  becomeFollower(replica, message.term, isLeaders(message) ? message.from : NOBODY);
  return true;
}

/**
 * A message of an earlier term is answered only to tell its sender of the later one: a leader or candidate
 * that was cut off would otherwise never learn of it, since nobody disturbs it with elections (§9.6).
 */
export function onOldTerm(replica: Replica, message: Message): void {
  if (message.type === "vote") refuseVote(replica, message);
  else if (isLeaders(message)) refuseOldLeader(replica, message.from);
}

/** A message of this term. Answers to a leader that no longer leads, or from a stranger, are ignored. */
export function dispatch(replica: Replica, message: Message): void {
  switch (message.type) {
    case "append":
      return onAppend(replica, message);
    case "heartbeat":
      return onHeartbeat(replica, message);
    case "snapshot":
      return onPiece(replica, message);
    case "vote":
      return onVoteRequest(replica, message);
    case "vote-response":
      return onVoteResponse(replica, message);
    case "read-index":
      return onReadRequest(replica, message);
    case "read-index-response":
      return onReadResponse(replica, message);
    case "timeout-now":
      return onTimeoutNow(replica);
    case "append-response":
    case "heartbeat-response":
    case "snapshot-response":
      return onAnswer(replica, message);
    default:
      return unreachable(message, "message");
  }
}

type Answer = Extract<Message, { type: "append-response" | "heartbeat-response" | "snapshot-response" }>;

function onAnswer(replica: Replica, answer: Answer): void {
  if (replica.role !== "leader") return;
  const member = replica.members.get(answer.from);
  if (member === undefined) return;
  member.hear(replica.ticks);
  if (answer.type === "append-response") onAppendResponse(replica, member, answer);
  else if (answer.type === "heartbeat-response") onHeartbeatResponse(replica, member, answer);
  else onPieceResponse(replica, member, answer);
}

function isLeaders({ type }: Message): boolean {
  return type === "append" || type === "heartbeat" || type === "snapshot";
}
