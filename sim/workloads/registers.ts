/** Registers: each key's history must be linearizable, and a stale read shows only what was once written. */
import assert from "node:assert/strict";
import { History, type Model } from "../checks/linearizability.js";
import { type Answer, isKnown, isRefused } from "../cluster/client.js";
import { recordFinalRead } from "./final-read.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

export type RegisterCall =
  | { readonly do: "get" }
  | { readonly do: "set"; readonly value: string }
  | { readonly do: "exchange"; readonly value: string };

const NOTHING = "-";

export const REGISTER: Model<RegisterCall> = {
  initial: NOTHING,
  step(state, call, answer) {
    const seen = answer === null ? NOTHING : answer;
    switch (call.do) {
      case "get":
        return seen === state ? [state] : [];
      case "set":
        return [call.value];
      case "exchange":
        return seen === undefined || seen === state ? [call.value] : [];
    }
  },
};

interface Attempt {
  readonly value: string;
  readonly invokedMs: number;
  isRefused: boolean;
}

export class Registers implements Workload {
  readonly name = "registers";
  readonly property = "linearizability";
  readonly #keys: readonly string[];
  readonly #clients: number;
  readonly #histories = new Map<string, History<RegisterCall>>();
  readonly #attempts = new Map<string, Attempt[]>();
  readonly #staleReads: { key: string; value: string; returnedMs: number }[] = [];
  #written = 0;

  constructor(keys = 4, clients = 4) {
    this.#keys = Array.from({ length: keys }, (_, i) => `r${i}`);
    this.#clients = clients;
    for (const key of this.#keys) {
      this.#histories.set(key, new History());
      this.#attempts.set(key, []);
    }
  }

  /** Commands of known outcome. */
  get answered(): number {
    return [...this.#histories.values()]
      .flatMap((history) => history.operations)
      .filter((operation) => operation.answer !== undefined).length;
  }

  start(load: Load): void {
    for (let i = 0; i < this.#clients; i += 1) {
      const client = load.newClient();
      repeat(load, (next) => this.#act(load, client, next));
    }
    const stale = load.newClient({ readLevel: "stale" }, 0.5);
    repeat(load, (next) => this.#readStale(load, stale, next));
  }

  #act(load: Load, client: LoadClient, next: () => void): void {
    const { random } = load.world;
    const key = random.pick(this.#keys);
    const choice = random.unit();
    if (choice < 0.45) this.#call(load, client, key, ["GET", key], { do: "get" }, next);
    else if (choice < 0.9) {
      const value = this.#newValue(load, key);
      this.#call(load, client, key, ["SET", key, value], { do: "set", value }, next);
    } else {
      const value = this.#newValue(load, key);
      this.#call(load, client, key, ["GETSET", key, value], { do: "exchange", value }, next);
    }
  }

  #newValue(load: Load, key: string): string {
    this.#written += 1;
    const value = `v${this.#written}`;
    const attempt = { value, invokedMs: load.world.nowMs, isRefused: false };
    this.#attempts.get(key)?.push(attempt);
    return value;
  }

  #call(
    load: Load,
    client: LoadClient,
    key: string,
    words: readonly string[],
    call: RegisterCall,
    next: () => void,
  ): void {
    const { world } = load;
    const invokedMs = world.nowMs;
    client.send(words, (answer: Answer) => {
      if (call.do !== "get" && isRefused(answer)) {
        const attempt = this.#attempts.get(key)?.find(({ value }) => value === call.value);
        if (attempt !== undefined) attempt.isRefused = true;
        load.onRefused?.(key, call.value);
      } else if (isKnown(answer) || call.do !== "get") {
        const known = isKnown(answer) ? answer : undefined;
        this.#histories.get(key)?.record(call, known, invokedMs, world.nowMs);
      }
      next();
    });
  }

  #readStale(load: Load, client: LoadClient, next: () => void): void {
    const { world } = load;
    const key = world.random.pick(this.#keys);
    client.send(["GET", key], (answer) => {
      if (typeof answer === "string") {
        this.#staleReads.push({ key, value: answer, returnedMs: world.nowMs });
      }
      next();
    });
  }

  async check(load: Load): Promise<void> {
    for (const [key, history] of this.#histories) {
      await recordFinalRead(load, history, { do: "get" }, ["GET", key]);
      const read = new Set(
        history.operations.flatMap(({ answer }) => (answer === undefined ? [] : [answer])),
      );
      // A write of unknown outcome that nobody has seen explains nothing.
      const operations = history.operations.filter(
        ({ call, answer }) => answer !== undefined || call.do === "get" || read.has(call.value),
      );
      load.judge.expect(REGISTER, operations, key);
    }
    for (const { key, value, returnedMs } of this.#staleReads) {
      const attempt = this.#attempts.get(key)?.find((candidate) => candidate.value === value);
      const isPossible = attempt !== undefined && !attempt.isRefused && attempt.invokedMs <= returnedMs;
      assert(isPossible, `a stale read of ${key} showed ${value}, which was not written by then`);
    }
  }
}
