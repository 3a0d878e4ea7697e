/**
 * The library's own methods, with its sessions: registers (`put`, `get`) and compare-and-set (`onlyIf`) are
 * linearizable, and each `incr` counts once, however often the library sent it: numbers given are given once and in
 * order, and the sum is what was acknowledged, with at most what is unknown. `mset` writes all or nothing, `compute`
 * and `query` read one moment.
 *
 * What the library calls "not applied" is in no history: where it happened all the same, nothing explains it.
 */
import assert from "node:assert/strict";
import type { Client } from "../../src/client/client.js";
import { MinikeyError } from "../../src/core/errors.js";
import { History } from "../checks/linearizability.js";
import { isKnown, isRefused } from "../cluster/client.js";
import type { Program } from "../library/library.js";
import { REGISTER, type RegisterCall } from "./registers.js";
import { ANOTHER_VERSION, NOTHING, SWAP, type SwapCall } from "./swaps.js";
import { repeat, type SimLoad, type SimWorkload } from "./workload.js";

const REGISTERS = ["library-r0", "library-r1"];
const SWAPS = ["library-s0", "library-s1"];
const COUNTERS = ["library-n0", "library-n1", "library-n2"];
/** Opposites, in two partitions where there are two. */
const PAIR = ["library-left", "library-right"] as const;

/** Success of a write: the library does not tell the version. */
const VERSION_UNTOLD = "?";
const DONE = "done";

const BURST_MAX = 20;
const LARGE_BURST = 300;
const FINAL_LIMIT_MS = 30_000;

interface Increment {
  readonly number: number;
  readonly invokedMs: number;
  readonly returnedMs: number;
}

interface Counter {
  readonly given: Increment[];
  unknown: number;
}

export class LibraryMethods implements SimWorkload {
  readonly name = "library";
  readonly property = "through the library, once";
  readonly #registers = new Map(REGISTERS.map((key) => [key, new History<RegisterCall>()]));
  readonly #swaps = new Map(SWAPS.map((key) => [key, new History<SwapCall>()]));
  readonly #counters = new Map<string, Counter>(COUNTERS.map((key) => [key, { given: [], unknown: 0 }]));
  #written = 0;
  /** Whether both keys of the pair are there for certain. */
  #hasPair = false;

  start(load: SimLoad): void {
    for (const program of load.programs()) {
      /** By key: the version seen last. */
      const seen = new Map<string, number>();
      repeat(load, (next) => this.#useRegister(load, program, next));
      repeat(load, (next) => this.#useSwap(load, program, seen, next));
      repeat(load, (next) => this.#count(load, program, next));
      repeat(load, (next) => this.#usePair(load, program, next));
    }
  }

  #newValue(): string {
    this.#written += 1;
    return `l${this.#written}`;
  }

  // --- Registers ---

  #useRegister(load: SimLoad, program: Program, next: () => void): void {
    const { random } = load.world;
    const key = random.pick(REGISTERS);
    if (random.chance(0.5)) {
      const get = (client: Client) => client.get(key);
      this.#callRegister(load, program, key, { do: "get" }, "GET", get, next);
    } else {
      const value = this.#newValue();
      const put = (client: Client) => client.put(key, value);
      this.#callRegister(load, program, key, { do: "set", value }, "SET", put, next);
    }
  }

  #callRegister<T>(
    load: SimLoad,
    program: Program,
    key: string,
    call: RegisterCall,
    command: string,
    method: (client: Client) => Promise<T>,
    next: () => void,
  ): void {
    const { world } = load;
    const invokedMs = world.nowMs;
    program.call(`${key} ${JSON.stringify(call)}`, command, method, (answer) => {
      if (isKnown(answer)) this.#registers.get(key)?.record(call, answer, invokedMs, world.nowMs);
      else if (call.do === "get") this.#expectHarmless(load, answer);
      else if (!isRefused(answer)) this.#registers.get(key)?.record(call, undefined, invokedMs, world.nowMs);
      next();
    });
  }

  #expectHarmless(load: SimLoad, answer: unknown): void {
    load.expect(
      isRefused(answer),
      `a read failed, and says that it may have changed something: ${String(answer)}`,
    );
  }

  // --- Compare and set ---

  #useSwap(load: SimLoad, program: Program, seen: Map<string, number>, next: () => void): void {
    const { world } = load;
    const { random } = world;
    const key = random.pick(SWAPS);
    const version = seen.get(key) ?? 0;
    const value = this.#newValue();
    const invokedMs = world.nowMs;
    const run = (call: SwapCall, command: string, method: (client: Client) => Promise<unknown>) => {
      program.call(`${key} ${JSON.stringify(call)}`, command, method, (answer) => {
        if (isKnown(answer)) this.#swaps.get(key)?.record(call, answer, invokedMs, world.nowMs);
        else if (call.do === "get") this.#expectHarmless(load, answer);
        else if (!isRefused(answer)) this.#swaps.get(key)?.record(call, undefined, invokedMs, world.nowMs);
        next();
      });
    };
    const asAnswer = (isStored: boolean) => (isStored ? VERSION_UNTOLD : ANOTHER_VERSION);
    const choice = random.unit();
    if (choice < 0.1) {
      run({ do: "put", value }, "SET", async (client) => asAnswer(await client.put(key, value)));
    } else if (choice < 0.2) {
      const onlyIf = "absent";
      run({ do: "create", value }, "SET", async (client) =>
        asAnswer(await client.put(key, value, { onlyIf })),
      );
    } else if (choice < 0.55 && version > 0) {
      const onlyIf = { version };
      run({ do: "swap", version, value }, "KV.PUT", async (client) =>
        asAnswer(await client.put(key, value, { onlyIf })),
      );
    } else if (choice < 0.6 && version > 0) {
      run({ do: "remove", version }, "KV.DELETE", async (client) =>
        asAnswer((await client.command("KV.DELETE", key, version)) !== 0),
      );
    } else {
      run({ do: "get" }, "KV.GET", async (client) => {
        const entry = await client.getEntry(key);
        if (entry === null) return NOTHING;
        seen.set(key, entry.version);
        return `${entry.version} ${entry.value as string}`;
      });
    }
  }

  // --- Counters ---

  /** Several at once, and sometimes more than a session has numbers for. */
  #count(load: SimLoad, program: Program, next: () => void): void {
    const { random } = load.world;
    let left = random.chance(0.02) ? LARGE_BURST : 1 + random.below(BURST_MAX);
    const onDone = () => {
      left -= 1;
      if (left === 0) next();
    };
    for (let i = left; i > 0; i -= 1) this.#increment(load, program, random.pick(COUNTERS), onDone);
  }

  #increment(load: SimLoad, program: Program, key: string, onDone: () => void): void {
    const { world } = load;
    const invokedMs = world.nowMs;
    const counter = this.#counters.get(key);
    assert(counter !== undefined);
    const incr = (client: Client) => client.incr(key);
    program.call(`incr ${key}`, "INCRBY", incr, (answer) => {
      if (typeof answer === "number") {
        counter.given.push({ number: answer, invokedMs, returnedMs: world.nowMs });
      } else if (!isRefused(answer)) counter.unknown += 1;
      onDone();
    });
  }

  // --- Pairs ---

  #usePair(load: SimLoad, program: Program, next: () => void): void {
    const { random } = load.world;
    const [left, right] = PAIR;
    if (random.chance(0.4)) {
      const amount = random.below(1_000);
      const mset = async (client: Client) => {
        await client.mset({ [left]: `${amount}`, [right]: `${-amount}` });
        return DONE;
      };
      program.call(`mset ${amount}`, "MSET", mset, (answer) => {
        if (answer === DONE) this.#hasPair = true;
        next();
      });
      return;
    }
    const hadPair = this.#hasPair;
    const compute = (client: Client) => client.compute("a + b", { a: left, b: right });
    program.call("compute", "COMPUTE", compute, (answer) => {
      const isMissing = answer instanceof MinikeyError && answer.code === "PATH_NOT_FOUND";
      load.expect(
        isMissing ? !hadPair : answer === 0 || isRefused(answer),
        `the sum of opposites is ${String(answer)}`,
      );
      next();
    });
  }

  // --- The end ---

  async check(load: SimLoad): Promise<void> {
    for (const [key, history] of this.#registers) {
      const invokedMs = load.world.nowMs;
      const value = await finalAnswer(load, `get ${key}`, (client) => client.get(key));
      history.record({ do: "get" }, value, invokedMs, load.world.nowMs);
      load.judge.expect(REGISTER, explaining(history), key);
    }
    for (const [key, { operations }] of this.#swaps) load.judge.expect(SWAP, operations, key);
    for (const [key, counter] of this.#counters) {
      const sum = await finalAnswer(load, `get ${key}`, (client) => client.get(key));
      checkCounter(key, counter, Number(sum ?? 0));
    }
  }
}

/** What the healed cluster answers, soon. */
async function finalAnswer<T>(
  load: SimLoad,
  text: string,
  method: (client: Client) => Promise<T>,
): Promise<T> {
  const answers: T[] = [];
  const ask = (): void => {
    load.world.random.pick(load.programs()).call(text, "GET", method, (answer) => {
      if (answer instanceof MinikeyError) ask();
      else answers.push(answer);
    });
  };
  ask();
  assert(
    await load.world.run(FINAL_LIMIT_MS, () => answers.length > 0),
    `the healed cluster does not answer: ${text}`,
  );
  return answers[0];
}

/** A write of unknown outcome that nobody has seen explains nothing. */
function explaining({ operations }: History<RegisterCall>): History<RegisterCall>["operations"] {
  const seen = new Set(operations.map(({ call, answer }) => (call.do === "get" ? answer : undefined)));
  return operations.filter(
    ({ call, answer }) => answer !== undefined || call.do === "get" || seen.has(call.value),
  );
}

function checkCounter(key: string, { given, unknown }: Counter, sum: number): void {
  const numbers = new Set(given.map(({ number }) => number));
  assert.equal(numbers.size, given.length, `${key} gave a number twice`);
  const bounds = `${key}: ${sum}, acknowledged ${given.length}, unknown ${unknown}`;
  assert(sum >= given.length && sum <= given.length + unknown, bounds);
  assert(
    given.every(({ number }) => number >= 1 && number <= sum),
    `${key} gave a number beyond its sum, ${sum}`,
  );
  // What has returned is below all that begins later.
  const byReturn = given.toSorted((a, b) => a.returnedMs - b.returnedMs);
  let returned = 0;
  let highest = 0;
  for (const { number, invokedMs } of given.toSorted((a, b) => a.invokedMs - b.invokedMs)) {
    while (returned < byReturn.length && byReturn[returned].returnedMs < invokedMs) {
      highest = Math.max(highest, byReturn[returned].number);
      returned += 1;
    }
    assert(number > highest, `${key} gave ${number} after ${highest}`);
  }
}
