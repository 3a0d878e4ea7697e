/**
 * For how long commands wait for replicas that cannot be reached just now: a keyspace was made a moment ago, a
 * connection is being opened again. Of a partition that has been short of replicas for longer, commands are refused at
 * once.
 */
import type { GroupId } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";

const PATIENCE_MS = 1_000;
const RETRY_MS = 20;

interface Shortage {
  readonly sinceMs: number;
  /** When a command met it last. */
  metMs: number;
}

export class Patience {
  readonly #clock: Clock;
  readonly #shortages = new Map<GroupId, Shortage>();
  #waiting: { readonly group: GroupId; readonly retry: () => void }[] = [];
  /** Commands that wait for the group. */
  readonly #waitingFor = new Map<GroupId, number>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get pending(): number {
    return this.#waiting.length;
  }

  /** Some command waits for the group: a write that comes now must not overtake it. */
  isWaiting(group: GroupId): boolean {
    return this.#waiting.length > 0 && this.#waitingFor.has(group);
  }

  /** The partition has as many replicas as a command needs. */
  onMet(group: GroupId): void {
    if (this.#shortages.size > 0) this.#shortages.delete(group);
  }

  /**
   * The partition has too few: true when `retry` is called in a moment, which may then call this again; false when the
   * command is to be refused. Commands try again in the order in which they came.
   */
  wait(group: GroupId, deadlineMs: number, retry: () => void): boolean {
    const nowMs = this.#clock.monotonicMs();
    let shortage = this.#shortages.get(group);
    // What nobody has met for a while may have ended meanwhile, and begun again.
    if (shortage === undefined || nowMs - shortage.metMs > PATIENCE_MS) {
      shortage = { sinceMs: nowMs, metMs: nowMs };
      this.#shortages.set(group, shortage);
    }
    shortage.metMs = nowMs;
    const isOver = nowMs - shortage.sinceMs > PATIENCE_MS || nowMs + RETRY_MS > deadlineMs;
    if (this.#isClosed || isOver) return false;
    this.#add(group, retry);
    return true;
  }

  /**
   * Waits for no replicas, only for those commands that wait already: `retry` is called after theirs. False when nobody
   * waits.
   */
  follow(group: GroupId, retry: () => void): boolean {
    if (!this.isWaiting(group)) return false;
    this.#add(group, retry);
    return true;
  }

  #add(group: GroupId, retry: () => void): void {
    this.#waitingFor.set(group, (this.#waitingFor.get(group) ?? 0) + 1);
    if (this.#waiting.push({ group, retry }) === 1) this.#clock.after(RETRY_MS, () => this.#retry());
  }

  /** Whoever waits tries for the last time. */
  close(): void {
    this.#isClosed = true;
    this.#retry();
  }

  #retry(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingFor.clear();
    for (const { retry } of waiting) retry();
  }
}
