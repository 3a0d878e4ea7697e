/** Commands over several partitions: all of them together must be linearizable as operations on all keys at once. */
import { MinikeyError } from "../../src/core/errors.js";
import { History, type Model } from "../checks/linearizability.js";
import { type Answer, isKnown, isRefused } from "../cluster/client.js";
import { recordFinalRead } from "./final-read.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

/** The words of a command. */
type Call = readonly string[];

type Values = Map<string, string>;

const NO_SUCH_KEY = "no such key";

/** The reply, and the values changed in place. */
function execute([name, ...args]: Call, values: Values): unknown {
  const [first, second] = args;
  const move = (isKept: boolean) => {
    const value = values.get(first);
    if (value === undefined) return;
    if (!isKept) values.delete(first);
    values.set(second, value);
  };
  switch (name) {
    case "GET":
      return values.get(first) ?? null;
    case "SET":
      values.set(first, second);
      return "OK";
    case "DEL":
      return values.delete(first) ? 1 : 0;
    case "MGET":
      return args.map((key) => values.get(key) ?? null);
    case "MSETNX":
      if (args.some((key, i) => i % 2 === 0 && values.has(key))) return 0;
      for (let i = 0; i < args.length; i += 2) values.set(args[i], args[i + 1]);
      return 1;
    case "MSET":
      for (let i = 0; i < args.length; i += 2) values.set(args[i], args[i + 1]);
      return "OK";
    case "RENAME":
      if (!values.has(first)) return NO_SUCH_KEY;
      move(false);
      return "OK";
    case "RENAMENX":
      if (!values.has(first)) return NO_SUCH_KEY;
      if (values.has(second)) return 0;
      move(false);
      return 1;
    case "COPY":
      if (!values.has(first) || (values.has(second) && args.length < 3)) return 0;
      move(true);
      return 1;
    default:
      throw new Error(`${name} is not modelled`);
  }
}

const MODEL: Model<Call> = {
  initial: "[]",
  step(state, call, answer) {
    const values: Values = new Map(JSON.parse(state) as [string, string][]);
    const reply = execute(call, values);
    if (answer !== undefined && JSON.stringify(answer) !== JSON.stringify(reply)) return [];
    return [JSON.stringify([...values].sort(([a], [b]) => (a < b ? -1 : 1)))];
  },
};

export class ManyKeys implements Workload {
  readonly name = "transactions";
  readonly property = "linearizability";
  readonly #keys = ["ta", "tb", "tc", "td"];
  readonly #history = new History<Call>();
  #written = 0;

  start(load: Load): void {
    for (let i = 0; i < 3; i += 1) {
      const client = load.newClient();
      repeat(load, (next) => this.#act(load, client, next));
    }
  }

  #act(load: Load, client: LoadClient, next: () => void): void {
    const { world } = load;
    const call = this.#newCall(load);
    const invokedMs = world.nowMs;
    client.send(call, (reply: Answer) => {
      const isNoSuchKey = reply instanceof MinikeyError && reply.code === "NOT_FOUND";
      const answer: Answer = isNoSuchKey ? NO_SUCH_KEY : reply;
      if (isKnown(answer)) this.#history.record(call, answer, invokedMs, world.nowMs);
      else if (!isRefused(answer) && call[0] !== "GET" && call[0] !== "MGET") {
        this.#history.record(call, undefined, invokedMs, world.nowMs);
      }
      next();
    });
  }

  #newCall(load: Load): Call {
    const { random } = load.world;
    const value = () => {
      this.#written += 1;
      return `w${this.#written}`;
    };
    const [a, b, c] = [...this.#keys].sort(() => random.unit() - 0.5);
    const choices: (() => Call)[] = [
      () => ["MSET", a, value(), b, value()],
      () => ["MSET", a, value(), b, value(), c, value()],
      () => ["MSETNX", a, value(), b, value()],
      () => ["MGET", ...this.#keys],
      () => ["MGET", ...this.#keys],
      () => ["MGET", ...this.#keys],
      () => ["RENAME", a, b],
      () => ["RENAMENX", a, b],
      () => ["COPY", a, b],
      () => ["COPY", a, b, "REPLACE"],
      () => ["SET", a, value()],
      () => ["GET", a],
      () => ["GET", a],
      () => ["DEL", a],
    ];
    return random.pick(choices)();
  }

  async check(load: Load): Promise<void> {
    const call = ["MGET", ...this.#keys];
    await recordFinalRead(load, this.#history, call, call);
    load.judge.expect(MODEL, this.#history.operations, this.name);
  }
}
