/**
 * What the nodes of a cluster together take for the time of day: each its own wall clock, held to within half a
 * second of the median of all clocks that it has heard of. A clock that jumps or is hours off is overruled by the
 * others, as long as these are the majority; of two clocks the earlier counts.
 *
 * ```
 *                     ┊← 500 ms →┊← 500 ms →┊
 *   ──────┬───────────┊──────────┬──────────┊────────────────────────┬──→ time
 *       n2's                   n3's, the median                     own
 *                                           └ what is called now
 * ```
 * What was heard of another's clock goes on with this node's monotonic clock, which neither jumps nor is set. The two
 * drift apart by up to 0.01 %, so what was heard is forgotten after an hour.
 *
 * Invariant: `#others` are the offsets of the clocks in `#heard` that are not stale, in their order.
 */
import type { NodeId } from "./ids.js";

/** How far the own clock may be off the median before it is held. */
export const HELD_WITHIN_MS = 500;
/** What was heard longer ago than this says nothing any more. */
export const STALE_AFTER_MS = 3_600_000;

export interface ClusterClockHost {
  /** Milliseconds since 1970; may jump. */
  wallMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** The own clock has begun to be held: so much ahead of the median, behind it when negative. */
  onHeld(aheadMs: number): void;
  /** The own clock is followed again. */
  onReleased(): void;
}

interface Heard {
  /** Their wall clock less the own monotonic clock. */
  readonly offsetMs: number;
  readonly atMs: number;
}

export class ClusterClock {
  readonly #host: ClusterClockHost;
  readonly #heard = new Map<NodeId, Heard>();
  #others: number[] = [];
  /** When the first of what was heard will be stale, by the monotonic clock. */
  #staleAtMs = Number.POSITIVE_INFINITY;
  #isHeld = false;

  constructor(host: ClusterClockHost) {
    this.#host = host;
  }

  /** Other clocks that the time is taken from. */
  get others(): number {
    return this.#others.length;
  }

  /** A message of `node` says what its wall clock showed when it was sent. */
  onHeard(node: NodeId, theirWallMs: number): void {
    if (!Number.isFinite(theirWallMs)) return;
    const atMs = this.#host.monotonicMs();
    this.#heard.set(node, { offsetMs: theirWallMs - atMs, atMs });
    this.#sort(atMs);
  }

  /** The node is no longer of the cluster. */
  forget(node: NodeId): void {
    if (this.#heard.delete(node)) this.#sort(this.#host.monotonicMs());
  }

  /** Milliseconds since 1970. May go back, as any wall clock may. */
  nowMs(): number {
    const wallMs = this.#host.wallMs();
    if (this.#others.length === 0) {
      if (this.#isHeld) this.#release();
      return wallMs;
    }
    const monotonicMs = this.#host.monotonicMs();
    if (monotonicMs >= this.#staleAtMs) this.#sort(monotonicMs);
    const medianMs = monotonicMs + this.#medianWith(wallMs - monotonicMs);
    const aheadMs = wallMs - medianMs;
    if (Math.abs(aheadMs) <= HELD_WITHIN_MS) {
      if (this.#isHeld) this.#release();
      return wallMs;
    }
    if (!this.#isHeld) {
      this.#isHeld = true;
      this.#host.onHeld(Math.round(aheadMs));
    }
    return Math.floor(medianMs) + Math.sign(aheadMs) * HELD_WITHIN_MS;
  }

  /** Of the other offsets and this one. With it among n others it is the one with ⌊n / 2⌋ before it. */
  #medianWith(own: number): number {
    const others = this.#others;
    const middle = Math.floor(others.length / 2);
    const least = middle === 0 ? Number.NEGATIVE_INFINITY : others[middle - 1];
    const most = middle === others.length ? Number.POSITIVE_INFINITY : others[middle];
    return Math.min(Math.max(own, least), most);
  }

  #sort(nowMs: number): void {
    this.#others = [];
    this.#staleAtMs = Number.POSITIVE_INFINITY;
    for (const [node, { offsetMs, atMs }] of this.#heard) {
      if (nowMs - atMs >= STALE_AFTER_MS) {
        this.#heard.delete(node);
        continue;
      }
      this.#others.push(offsetMs);
      this.#staleAtMs = Math.min(this.#staleAtMs, atMs + STALE_AFTER_MS);
    }
    this.#others.sort((a, b) => a - b);
  }

  #release(): void {
    this.#isHeld = false;
    this.#host.onReleased();
  }
}
