/** The side of a session that answers (reconcile.ts says what a session is). */
import { allocBytes, type Bytes, concatBytes, type Key } from "../core/bytes.js";
import type { ReplicaId } from "../core/ids.js";
import { FINGERPRINT_BYTES, NODES } from "./fingerprints.js";
import {
  ANSWER_BYTES,
  ANSWER_KEYS_MAX,
  newCounts,
  type RecordCollector,
  type SessionCounts,
  type SessionOutcome,
  SILENCE_MS,
  type TreeHost,
} from "./reconcile.js";
import { isEqualFingerprint } from "./reconcile-asking.js";
import type { Segment, Standing, SyncMessage } from "./sync-message.js";

type Begin = Extract<SyncMessage, { type: "begin" }>;
type Page = Extract<SyncMessage, { type: "page" }>;
type Give = Extract<SyncMessage, { type: "give" }>;

export class AnsweringSession {
  readonly partner: ReplicaId;
  /** This replica's number for the session, and the partner's. */
  readonly id: number;
  readonly theirs: number;
  /** Of both, as of the beginning. */
  readonly standing: Standing;
  readonly partnerStanding: Standing;
  readonly counts: SessionCounts = newCounts();
  /** Undefined while the session goes on. */
  outcome: SessionOutcome | undefined;
  readonly #host: TreeHost;
  readonly #onOver: (session: AnsweringSession) => void;
  readonly #given = new Set<number>();
  #merged = 0;
  /** How many gives there were in all, once the partner has said so. */
  #gives: number | undefined;
  #newsMs: number;

  constructor(
    host: TreeHost,
    partner: ReplicaId,
    begin: Begin,
    sizeBytes: number,
    nowMs: number,
    onOver: (session: AnsweringSession) => void,
  ) {
    this.partner = partner;
    this.theirs = begin.session;
    this.partnerStanding = begin.standing;
    this.#host = host;
    this.#onOver = onOver;
    this.#newsMs = nowMs;
    this.id = host.nextSession();
    this.standing = host.standing();
    this.counts.bytes += sizeBytes;
    this.#answerBegin(begin);
  }

  /** A message with this session's number. `sizeBytes` is what it took to send. */
  onMessage(message: SyncMessage, sizeBytes: number, nowMs: number): void {
    if (this.outcome !== undefined) return;
    this.#newsMs = nowMs;
    this.counts.bytes += sizeBytes;
    if (message.type === "page") this.#onPage(message);
    else if (message.type === "give") this.#onGive(message);
    else if (message.type === "finish") {
      this.#gives = message.gives;
      this.#finishIfMerged();
    } else if (message.type === "end") this.#over("failed");
  }

  tick(nowMs: number): void {
    if (nowMs - this.#newsMs > SILENCE_MS) this.fail();
  }

  /** Breaks it off. */
  fail(): void {
    if (this.outcome !== undefined) return;
    this.#send({ type: "end", session: this.theirs, reason: "failed" });
    this.#over("failed");
  }

  #answerBegin({ nodes }: Begin): void {
    const own = this.#host.nodes();
    let differing = 0;
    const leaves: Bytes[] = [];
    for (let node = 0; node < NODES; node += 1) {
      const at = node * FINGERPRINT_BYTES;
      if (isEqualFingerprint(own, at, nodes, at)) continue;
      differing = (differing | (1 << node)) >>> 0;
      leaves.push(this.#host.leaves(node));
    }
    const { id, standing } = this;
    this.#send({
      type: "ready",
      session: this.theirs,
      own: id,
      standing,
      differing,
      leaves: concatBytes(leaves),
    });
  }

  #onPage({ page, segments }: Page): void {
    const walk = new Walk(this.#host);
    let done = 0;
    let through: Key | undefined;
    while (done < segments.length) {
      through = walk.go(segments[done]);
      if (through !== undefined) break;
      done += 1;
    }
    this.counts.leavesCompared += done;
    this.counts.recordsGiven += walk.records.count;
    this.#send({
      type: "answer",
      session: this.theirs,
      page,
      done,
      through: through ?? "",
      wanted: walk.wanted,
      batch: walk.records.toBytes(),
    });
  }

  #onGive({ give, batch }: Give): void {
    if (this.#given.has(give)) return;
    this.#given.add(give);
    this.counts.recordsTaken += this.#host.take(batch, () => {
      if (this.outcome !== undefined) return;
      this.#merged += 1;
      this.#send({ type: "took", session: this.theirs, give });
      this.#finishIfMerged();
    });
  }

  #finishIfMerged(): void {
    if (this.#gives === undefined || this.#gives !== this.#merged) return;
    this.#gives = undefined;
    this.#host.adopt(this.partnerStanding.vector, () => {
      if (this.outcome !== undefined) return;
      this.#send({ type: "end", session: this.theirs, reason: "done" });
      this.#over("done");
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

/** Goes through segments beside this replica's own keys, as far as one answer may. */
class Walk {
  readonly wanted: Key[] = [];
  readonly records: RecordCollector;
  readonly #host: TreeHost;
  readonly #own = allocBytes(FINGERPRINT_BYTES);
  #keys = 0;

  constructor(host: TreeHost) {
    this.#host = host;
    this.records = host.newBatch();
  }

  get #isFull(): boolean {
    return this.#keys >= ANSWER_KEYS_MAX || this.records.sizeBytes >= ANSWER_BYTES;
  }

  /** Undefined when all of it was gone through; else the last key that was, `""` when not even begun. */
  go(segment: Segment): Key | undefined {
    const { keys, through } = segment;
    if (this.#isFull) return "";
    let next = 0;
    let last = segment.after;
    for (const key of this.#host.keysOfLeaf(segment.leaf, segment.after)) {
      if (through !== "" && key > through) break;
      if (this.#isFull) return last;
      for (; next < keys.length && keys[next] < key; next += 1) this.#want(keys[next]);
      this.#keys += 1;
      last = key;
      const isTheirs = next < keys.length && keys[next] === key;
      if (isTheirs) next += 1;
      if (isTheirs && this.#isEqual(key, segment, next - 1)) continue;
      this.records.add(key);
      // The partner's may be later in one part, this one's in another.
      if (isTheirs) this.#want(key);
    }
    for (; next < keys.length; next += 1) this.#want(keys[next]);
    return undefined;
  }

  #want(key: Key): void {
    this.#keys += 1;
    this.wanted.push(key);
  }

  #isEqual(key: Key, segment: Segment, position: number): boolean {
    this.#host.writeFingerprint(key, this.#own, 0);
    return isEqualFingerprint(this.#own, 0, segment.fingerprints, position * FINGERPRINT_BYTES);
  }
}
