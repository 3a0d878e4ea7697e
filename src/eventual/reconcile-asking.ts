/** The side of a session that asks, and drives it (reconcile.ts says what a session is). */
import { allocBytes, type Bytes, type Key } from "../core/bytes.js";
import type { ReplicaId } from "../core/ids.js";
import { FINGERPRINT_BYTES, LEAVES_PER_NODE, NODES } from "./fingerprints.js";
import {
  ANSWER_BYTES,
  GIVES_MAX,
  newCounts,
  PAGE_KEYS_MAX,
  PAGE_SEGMENTS_MAX,
  PAGES_MAX,
  type SessionCounts,
  type SessionOutcome,
  SILENCE_MS,
  type TreeHost,
} from "./reconcile.js";
import type { Segment, Standing, SyncMessage } from "./sync-message.js";

/** Keys of a leaf that are still to be compared: after `after`, up to `through` (`""`: the end). */
interface Stretch {
  readonly leaf: number;
  readonly after: Key;
  readonly through: Key;
}

type Ready = Extract<SyncMessage, { type: "ready" }>;
type Answer = Extract<SyncMessage, { type: "answer" }>;

export class AskingSession {
  readonly partner: ReplicaId;
  /** This replica's number for the session. */
  readonly id: number;
  /** Of this replica, as of the beginning. */
  readonly standing: Standing;
  readonly counts: SessionCounts = newCounts();
  /** Undefined while the session goes on. */
  outcome: SessionOutcome | undefined;
  readonly #host: TreeHost;
  readonly #onOver: (session: AskingSession) => void;
  /** The partner's number for the session, and how it stood when it began. */
  #theirs = 0;
  #partnerStanding: Standing | undefined;
  readonly #todo: Stretch[] = [];
  readonly #pages = new Map<number, readonly Segment[]>();
  #lastPage = 0;
  #takes = 0;
  #wanted: Key[] = [];
  readonly #gives = new Set<number>();
  #lastGive = 0;
  #isFinishing = false;
  #newsMs: number;

  constructor(host: TreeHost, partner: ReplicaId, nowMs: number, onOver: (session: AskingSession) => void) {
    this.partner = partner;
    this.#host = host;
    this.#onOver = onOver;
    this.#newsMs = nowMs;
    this.id = host.nextSession();
    this.standing = host.standing();
    this.#send({ type: "begin", session: this.id, standing: this.standing, nodes: host.nodes() });
  }

  /** The partner has not answered yet. */
  get isWaiting(): boolean {
    return this.#partnerStanding === undefined;
  }

  /** As of its beginning; undefined before it has answered. */
  get partnerStanding(): Standing | undefined {
    return this.#partnerStanding;
  }

  /** A message with this session's number. `sizeBytes` is what it took to send. */
  onMessage(message: SyncMessage, sizeBytes: number, nowMs: number): void {
    if (this.outcome !== undefined) return;
    this.#newsMs = nowMs;
    this.counts.bytes += sizeBytes;
    if (message.type === "ready") this.#onReady(message);
    else if (message.type === "answer") this.#onAnswer(message);
    else if (message.type === "took") this.#gives.delete(message.give);
    else if (message.type === "end") {
      // The partner may be done first.
      if (message.reason !== "done") this.#over(message.reason === "busy" ? "busy" : "failed");
      return;
    }
    this.#advance();
  }

  tick(nowMs: number): void {
    if (nowMs - this.#newsMs > SILENCE_MS) this.fail();
  }

  /** Breaks it off. */
  fail(): void {
    if (this.outcome !== undefined) return;
    if (this.#theirs !== 0) this.#send({ type: "end", session: this.#theirs, reason: "failed" });
    this.#over("failed");
  }

  #onReady(message: Ready): void {
    if (this.#partnerStanding !== undefined) return;
    this.#partnerStanding = message.standing;
    this.#theirs = message.own;
    let at = 0;
    for (let node = 0; node < NODES; node += 1) {
      if (((message.differing >>> node) & 1) === 0) continue;
      const own = this.#host.leaves(node);
      for (let i = 0; i < LEAVES_PER_NODE; i += 1) {
        if (!isEqualFingerprint(own, i * FINGERPRINT_BYTES, message.leaves, at)) {
          this.#todo.push({ leaf: node * LEAVES_PER_NODE + i, after: "", through: "" });
        }
        at += FINGERPRINT_BYTES;
      }
    }
    this.counts.leavesCompared = this.#todo.length;
    this.#todo.reverse();
  }

  #onAnswer(message: Answer): void {
    const segments = this.#pages.get(message.page);
    if (segments === undefined) return;
    this.#pages.delete(message.page);
    const rest = segments.slice(message.done);
    if (!isProgress(message, segments)) {
      this.fail();
      return;
    }
    for (const [i, { leaf, after, through }] of rest.entries()) {
      this.#todo.push({ leaf, after: i === 0 && message.through !== "" ? message.through : after, through });
    }
    for (const key of message.wanted) this.#wanted.push(key);
    if (message.batch.length === 0) return;
    this.#takes += 1;
    this.counts.recordsTaken += this.#host.take(message.batch, () => {
      this.#takes -= 1;
      if (this.outcome === undefined) this.#advance();
    });
  }

  /** Does what can be done now. */
  #advance(): void {
    if (this.outcome !== undefined || this.#partnerStanding === undefined || this.#isFinishing) return;
    while (this.#todo.length > 0 && this.#pages.size + this.#takes < PAGES_MAX) this.#ask();
    while (this.#wanted.length > 0 && this.#gives.size < GIVES_MAX) this.#give();
    const isWorking =
      this.#todo.length + this.#pages.size + this.#takes + this.#wanted.length + this.#gives.size > 0;
    if (!isWorking) this.#finish(this.#partnerStanding);
  }

  #ask(): void {
    const segments: Segment[] = [];
    let room = PAGE_KEYS_MAX;
    while (room > 0 && segments.length < PAGE_SEGMENTS_MAX) {
      const stretch = this.#todo.pop();
      if (stretch === undefined) break;
      const segment = this.#read(stretch, room);
      if (segment.through !== stretch.through) this.#todo.push({ ...stretch, after: segment.through });
      room -= segment.keys.length;
      segments.push(segment);
    }
    this.#lastPage += 1;
    this.#pages.set(this.#lastPage, segments);
    this.#send({ type: "page", session: this.#theirs, page: this.#lastPage, segments });
  }

  /** At most so many of a stretch's keys, with their fingerprints. */
  #read({ leaf, after, through }: Stretch, countMax: number): Segment {
    const keys: Key[] = [];
    const fingerprints: Bytes = allocBytes(countMax * FINGERPRINT_BYTES);
    for (const key of this.#host.keysOfLeaf(leaf, after)) {
      if (through !== "" && key > through) break;
      if (keys.length === countMax) return { leaf, after, through: keys[countMax - 1], keys, fingerprints };
      this.#host.writeFingerprint(key, fingerprints, keys.length * FINGERPRINT_BYTES);
      keys.push(key);
    }
    return { leaf, after, through, keys, fingerprints };
  }

  #give(): void {
    const batch = this.#host.newBatch();
    let count = 0;
    while (count < this.#wanted.length && batch.sizeBytes < ANSWER_BYTES) {
      batch.add(this.#wanted[count]);
      count += 1;
    }
    this.#wanted = this.#wanted.slice(count);
    if (batch.count === 0) return;
    this.counts.recordsGiven += batch.count;
    this.#lastGive += 1;
    this.#gives.add(this.#lastGive);
    this.#send({ type: "give", session: this.#theirs, give: this.#lastGive, batch: batch.toBytes() });
  }

  #finish(partner: Standing): void {
    this.#isFinishing = true;
    this.#send({ type: "finish", session: this.#theirs, gives: this.#lastGive });
    this.#host.adopt(partner.vector, () => {
      if (this.outcome === undefined) this.#over("done");
    });
  }

  #over(outcome: SessionOutcome): void {
    this.outcome = outcome;
    this.#onOver(this);
  }

  #send(message: SyncMessage): void {
    this.counts.bytes += this.#host.send(this.partner, message);
  }
}

/** Whether an answer covers something of its page, and nothing else. */
function isProgress({ done, through }: Answer, segments: readonly Segment[]): boolean {
  if (done >= segments.length) return done === segments.length && through === "";
  const next = segments[done];
  if (through === "") return done > 0;
  return through > next.after && (next.through === "" || through <= next.through);
}

export function isEqualFingerprint(a: Bytes, atA: number, b: Bytes, atB: number): boolean {
  for (let i = 0; i < FINGERPRINT_BYTES; i += 1) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}
