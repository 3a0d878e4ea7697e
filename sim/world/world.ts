/**
 * Simulated time and processes: every run of a seed is the same. Events run one at a time, in order of their
 * time; between two of them all promises settle.
 */
import type { CancelTimer, Clock } from "../../src/ports/clock.js";
import { Network } from "./network.js";
import { SeededRandom } from "./random.js";
import { Trace } from "./trace.js";

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** So many events run before Node.js gets a turn of its own, for the timers of the test runner. */
const EVENTS_A_TURN = 2_000;

export class World {
  readonly random: SeededRandom;
  readonly network: Network;
  readonly trace: Trace;
  nowMs = 0;
  eventsRun = 0;
  /** Called when an event, but not yet all that it leads to, has run. */
  afterEvent: (() => void) | undefined;
  readonly #events: Event[] = [];
  #order = 0;

  constructor(seed: number, write?: (line: string) => void) {
    this.random = new SeededRandom(seed);
    this.trace = new Trace(() => this.nowMs, write);
    this.network = new Network(this);
  }

  schedule(delayMs: number, run: () => void): void {
    this.scheduleAt(this.nowMs + delayMs, run);
  }

  /** What is due at the same time runs in the order in which it was scheduled. */
  scheduleAt(atMs: number, run: () => void): void {
    const event = { atMs, order: this.#order, run };
    this.#order += 1;
    // A binary heap.
    const heap = this.#events;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  /** Runs until `isDone` says so, or until `limitMs` of simulated time have passed; true when done. */
  async run(limitMs: number, isDone: () => boolean): Promise<boolean> {
    const endMs = this.nowMs + limitMs;
    // Without a promise for every event: there are hundreds of thousands in a life.
    return await new Promise<boolean>((resolve, reject) => {
      const goOn = () => {
        try {
          this.afterEvent?.();
          if (isDone()) resolve(true);
          else if (!this.#runNext(endMs)) resolve(false);
          else if (this.eventsRun % EVENTS_A_TURN === 0) setImmediate(onceSettled);
          else onceSettled();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      // A tick asked for by a promise's job runs once no such job is left.
      const askForTick = () => process.nextTick(goOn);
      const onceSettled = () => queueMicrotask(askForTick);
      onceSettled();
    });
  }

  /** False when nothing happens up to `endMs`. */
  #runNext(endMs: number): boolean {
    const event = this.#events.at(0);
    if (event === undefined || event.atMs > endMs) {
      this.nowMs = endMs;
      return false;
    }
    this.#pop();
    this.nowMs = event.atMs;
    this.eventsRun += 1;
    event.run();
    this.afterEvent?.();
    return true;
  }

  #pop(): void {
    const heap = this.#events;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

const EPOCH_MS = 1_700_000_000_000;

/** One process: dies with all of its timers, and can be stopped for a while (SIGSTOP). */
export class SimProcess {
  isAlive = true;
  /** What its wall clock shows too much. */
  skewMs: number;
  /** How fast its clocks go: 1 is right. */
  #tempo = 1;
  /** What its clocks showed when the tempo changed last. */
  #sinceMs: number;
  #shownMs: number;
  readonly #world: World;
  /** What came due while the process was stopped, until it has caught up; undefined while it runs. */
  #held: (() => void)[] | undefined;
  #isPaused = false;
  /** How often it was stopped. */
  pauses = 0;
  readonly #onEnded = new Set<() => void>();

  constructor(world: World, skewMs: number) {
    this.#world = world;
    this.skewMs = skewMs;
    this.#sinceMs = world.nowMs;
    this.#shownMs = world.nowMs;
  }

  /** It is gone, with its timers and all that was to be delivered. */
  end(): void {
    this.isAlive = false;
    for (const run of [...this.#onEnded]) run();
    this.#onEnded.clear();
  }

  /** Calls `run` when it ends, unless the result is called before. */
  whenEnded(run: () => void): () => void {
    this.#onEnded.add(run);
    return () => this.#onEnded.delete(run);
  }

  /** From now on its clocks, and so its timers, run this much faster than time. */
  setTempo(tempo: number): void {
    this.#shownMs = this.#localMs();
    this.#sinceMs = this.#world.nowMs;
    this.#tempo = tempo;
  }

  #localMs(): number {
    return this.#shownMs + (this.#world.nowMs - this.#sinceMs) * this.#tempo;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    this.pauses += 1;
    this.#isPaused = true;
    this.#held ??= [];
  }

  /** All that came due meanwhile happens now, in order, and before anything else. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#catchUp();
  }

  #catchUp(): void {
    if (!this.isAlive || this.#isPaused) return;
    const next = this.#held?.shift();
    if (next === undefined) {
      this.#held = undefined;
      return;
    }
    next();
    this.#world.schedule(0, () => this.#catchUp());
  }

  /** Runs `run` now, or when the process goes on, or never when it is dead. */
  deliver(run: () => void): void {
    if (!this.isAlive) return;
    if (this.#held !== undefined) this.#held.push(run);
    else run();
  }

  /** As `World.schedule`, as this process sees it. */
  later(delayMs: number, run: () => void): CancelTimer {
    let isCancelled = false;
    const fire = () => {
      if (!isCancelled) run();
    };
    this.#world.schedule(delayMs / this.#tempo, () => this.deliver(fire));
    return () => {
      isCancelled = true;
    };
  }

  readonly clock: Clock = {
    wallMs: () => Math.floor(EPOCH_MS + this.#localMs() + this.skewMs),
    monotonicMs: () => this.#localMs(),
    after: (delayMs, run) => this.later(delayMs, run),
    every: (periodMs, run) => {
      let cancel: CancelTimer = () => undefined;
      const again = () => {
        cancel = this.later(periodMs, () => {
          again();
          run();
        });
      };
      again();
      return () => cancel();
    },
    atTurnEnd: (run) => {
      this.later(0, run);
    },
  };
}
