/**
 * Snapshots in pieces (§5.3, in the order and with the flow control of one piece at a time).
 *
 *   leader                          its host          follower's host      follower
 *     │ needs what was compacted        │                    │                 │
 *     ├─ snapshotReads {to, offset} ───▶│                    │                 │
 *     │◀────────── snapshotPiece ───────┤                    │                 │
 *     ├─ snapshot {meta, offset, data, done} ─────────────────────────────────▶│
 *     │                                 │                    │◀ snapshotWrites ┤
 *     │                                 │                    ├ snapshotStored ▶│
 *     │◀───────────────── snapshot-response {offset}; after the last: append-response, once durable
 *
 * - The leader keeps the piece under way and sends it again when no answer comes within an election time-out.
 * - The follower takes the piece that starts where the last one ended, or one that starts anew at 0. One that
 *   it cannot continue is refused, and the leader starts anew.
 * - A follower whose log has caught up meanwhile says so with an append-response, and the transfer ends.
 */
import type { Message, SnapshotMeta } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import type { Bytes } from "../core/bytes.js";
import type { ReplicaId } from "../core/ids.js";
import { acknowledge, followLeader } from "./follower.js";
import { isSameSnapshot, type Progress } from "./progress.js";
import type { Replica } from "./replica.js";

type Piece = Extract<Message, { type: "snapshot" }>;
type PieceResponse = Extract<Message, { type: "snapshot-response" }>;

/** Asks the host for the piece that `member` needs next, once the member is known to live. */
export function requestPiece(replica: Replica, member: Progress): void {
  const { snapshot } = member;
  if (snapshot?.phase !== "wanted" || replica.ticks < snapshot.tick) return;
  if (!member.isRecentlyActive(replica.ticks, replica.options.electionTicks)) return;
  snapshot.phase = "reading";
  replica.snapshotReads.push({ to: member.id, offsetBytes: snapshot.offsetBytes });
}

/** The host has read a piece. When it is one asked for earlier, the one needed now is asked for again. */
export function onPieceRead(
  replica: Replica,
  to: ReplicaId,
  meta: SnapshotMeta,
  offsetBytes: number,
  data: Bytes,
  done: boolean,
): void {
  const snapshot = replica.role === "leader" ? replica.members.get(to)?.snapshot : undefined;
  if (snapshot?.phase !== "reading") return;
  if (snapshot.offsetBytes !== offsetBytes) {
    replica.snapshotReads.push({ to, offsetBytes: snapshot.offsetBytes });
    return;
  }
  const { id, term, ticks } = replica;
  snapshot.piece = { type: "snapshot", from: id, to, term, meta, offsetBytes, data, done };
  snapshot.phase = "sent";
  snapshot.tick = ticks;
  replica.send(snapshot.piece);
}

/** The host could not read: starts anew a heartbeat later. */
export function onPieceFailed(replica: Replica, to: ReplicaId): void {
  const member = replica.role === "leader" ? replica.members.get(to) : undefined;
  if (member?.snapshot?.phase === "reading") restartSnapshot(replica, member);
}

/** With every heartbeat and its answer: what was lost is sent again, a snapshot put off is begun. */
export function resendPiece(replica: Replica, member: Progress): void {
  const { snapshot } = member;
  const { electionTicks } = replica.options;
  requestPiece(replica, member);
  if (snapshot?.phase !== "sent" || replica.ticks - snapshot.tick < electionTicks) return;
  if (!member.isRecentlyActive(replica.ticks, electionTicks) || snapshot.piece === undefined) return;
  snapshot.tick = replica.ticks;
  replica.send(snapshot.piece);
}

export function onPieceResponse(replica: Replica, member: Progress, response: PieceResponse): void {
  const { snapshot } = member;
  const piece = snapshot?.piece;
  if (snapshot?.phase !== "sent" || piece?.meta.index !== response.index) return;
  if (response.reject) {
    restartSnapshot(replica, member);
  } else if (response.offsetBytes === piece.offsetBytes + piece.data.length && !piece.done) {
    snapshot.phase = "wanted";
    snapshot.offsetBytes = response.offsetBytes;
    snapshot.piece = undefined;
    requestPiece(replica, member);
  }
}

/**
 * The member says how much it has: the rest of it comes from the log. When that was compacted further
 * meanwhile, a newer snapshot follows the one that it has now.
 */
export function onSnapshotAnswered(replica: Replica, member: Progress): void {
  const sentIndex = member.snapshot?.piece?.meta.index;
  if (replica.log.termAt(member.match) !== undefined) member.becomeReplicate();
  else if (sentIndex !== undefined && sentIndex <= member.match) restartSnapshot(replica, member);
}

/** A leader's piece arrives. */
export function onPiece(replica: Replica, piece: Piece): void {
  followLeader(replica, piece.from);
  const { meta } = piece;
  if (replica.incoming?.isWriting === true) return;
  if (meta.index <= replica.commit || replica.log.termAt(meta.index) === meta.term) {
    replica.incoming = undefined;
    if (meta.index > replica.commit) replica.commit = meta.index;
    acknowledge(replica, piece.from, replica.commit);
    return;
  }
  const incoming = expectPiece(replica, piece);
  if (incoming === undefined) return;
  incoming.isWriting = true;
  incoming.isInstalling = piece.done;
  const { from, offsetBytes, data, done } = piece;
  replica.snapshotWrites.push({ from, meta, offsetBytes, data, done });
}

/** The host has stored a piece; with `done` the state machine, and now the log, are the snapshot's. */
export function onPieceStored(
  replica: Replica,
  meta: SnapshotMeta,
  offsetBytes: number,
  done: boolean,
): void {
  const { incoming } = replica;
  if (incoming === undefined || !incoming.isWriting || !isSameSnapshot(incoming.meta, meta)) return;
  assert(incoming.isInstalling || !done, "snapshot at % installed before its last piece", meta.index);
  // The last piece did not complete it: the host is out of step with the sender.
  if (incoming.isInstalling && !done) return onPieceRejected(replica, meta);
  incoming.isWriting = false;
  incoming.offsetBytes = offsetBytes;
  if (done) {
    replica.incoming = undefined;
    replica.restore(meta);
    if (!incoming.isAbandoned) acknowledge(replica, incoming.from, meta.index);
  } else if (incoming.isAbandoned) replica.incoming = undefined;
  else respond(replica, incoming.from, meta, offsetBytes, false);
}

/** The host could not use what was sent: the leader starts anew. */
export function onPieceRejected(replica: Replica, meta: SnapshotMeta): void {
  const { incoming } = replica;
  if (incoming === undefined || !isSameSnapshot(incoming.meta, meta)) return;
  replica.incoming = undefined;
  if (!incoming.isAbandoned) respond(replica, incoming.from, meta, 0, true);
}

/** The term, and with it its leader's snapshot, is over; what the host is doing is waited for. */
export function abandonIncoming(replica: Replica): void {
  const { incoming } = replica;
  if (incoming === undefined) return;
  incoming.isAbandoned = true;
  if (!incoming.isWriting) replica.incoming = undefined;
}

function restartSnapshot(replica: Replica, member: Progress): void {
  member.becomeSnapshot(replica.ticks + replica.options.heartbeatTicks);
}

/** The snapshot that `piece` continues or begins; undefined, and the leader is told, when it does neither. */
function expectPiece(replica: Replica, piece: Piece): Replica["incoming"] {
  const { from, meta, offsetBytes } = piece;
  const { incoming } = replica;
  if (offsetBytes === 0) {
    replica.incoming = {
      meta,
      from,
      offsetBytes: 0,
      isWriting: false,
      isInstalling: false,
      isAbandoned: false,
    };
    return replica.incoming;
  }
  const isSame = incoming !== undefined && isSameSnapshot(incoming.meta, meta);
  if (isSame && incoming.offsetBytes === offsetBytes) return incoming;
  const storedBytes = isSame ? incoming.offsetBytes : 0;
  respond(replica, from, meta, storedBytes, offsetBytes > storedBytes);
  return undefined;
}

function respond(
  replica: Replica,
  to: ReplicaId,
  meta: SnapshotMeta,
  offsetBytes: number,
  reject: boolean,
): void {
  const { id, term } = replica;
  replica.send({ type: "snapshot-response", from: id, to, term, index: meta.index, offsetBytes, reject });
}
