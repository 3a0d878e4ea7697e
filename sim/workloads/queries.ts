/**
 * `QUERY` of paths that may mean several keys in several partitions, while these come, go, move and change: it must
 * be linearizable as an operation on all of them at once.
 */
import { MinikeyError } from "../../src/core/errors.js";
import { SLOT_COUNT, slotOfKey } from "../../src/sharding/slots.js";
import { History, type Model } from "../checks/linearizability.js";
import { type Answer, isKnown, isRefused } from "../cluster/client.js";
import { recordFinalRead } from "./final-read.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

/** The words of a command. */
type Call = readonly string[];

/** A document is its JSON, which begins with a brace; texts do not. */
type Values = Map<string, string>;

const NO_SUCH_KEY = "no such key";

type Document = { readonly [field: string]: Document | string };

/** What `QUERY path` answers: the value, or what it says is missing. */
function query(path: string, values: Values): string {
  const segments = path.split(".");
  for (let count = segments.length; count > 0; count -= 1) {
    const key = segments.slice(0, count).join(".");
    const value = values.get(key);
    if (value !== undefined) return lookUp(key, value, segments.slice(count));
  }
  return `no such key: ${segments[0]}`;
}

function lookUp(key: string, value: string, path: readonly string[]): string {
  let found = value.startsWith("{") ? (JSON.parse(value) as Document) : value;
  for (const [depth, segment] of path.entries()) {
    const where = [key.includes(".") ? `"${key}"` : key, ...path.slice(0, depth)].join(".");
    if (typeof found === "string") return `${where} is text and has no field "${segment}"`;
    if (!(segment in found)) return `${where} has no field "${segment}"`;
    found = found[segment];
  }
  return typeof found === "string" ? found : JSON.stringify(found);
}

function rename(from: string, to: string, values: Values): string {
  const value = values.get(from);
  if (value === undefined) return NO_SUCH_KEY;
  values.delete(from);
  values.set(to, value);
  return "OK";
}

/** The reply, and the values changed in place. */
function execute([name, ...args]: Call, values: Values): unknown {
  switch (name) {
    case "QUERY":
      return query(args[0], values);
    case "MGET":
      return args.map((key) => values.get(key) ?? null);
    case "SET":
      values.set(args[0], args[1]);
      return "OK";
    case "KV.PUT":
      values.set(args[0], args[5]);
      return "stored";
    case "MSET":
      for (let i = 0; i < args.length; i += 2) values.set(args[i], args[i + 1]);
      return "OK";
    case "DEL":
      return values.delete(args[0]) ? 1 : 0;
    case "RENAME":
      return rename(args[0], args[1], values);
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

/** In as many partitions as there are, up to three. */
function keysOfPath(): readonly [string, string, string] {
  for (let i = 0; ; i += 1) {
    const keys = [`q${i}`, `q${i}.b`, `q${i}.b.c`] as const;
    const [first, second, third] = keys.map((key) => slotOfKey(key) / SLOT_COUNT);
    if (first < 1 / 4 && second >= 1 / 2 && second < 2 / 3 && third >= 3 / 4) return keys;
  }
}

export class Queries implements Workload {
  readonly name = "queries";
  readonly property = "linearizability";
  readonly #keys = keysOfPath();
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
    const isRead = call[0] === "QUERY" || call[0] === "MGET";
    const invokedMs = world.nowMs;
    client.send(call, (reply: Answer) => {
      const answer = answerOf(call, reply);
      if (isKnown(answer)) this.#history.record(call, answer, invokedMs, world.nowMs);
      else if (!isRefused(answer) && !isRead) {
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
    const document = () => JSON.stringify({ b: { c: value() }, c: value() });
    const [a, b] = [...this.#keys].sort(() => random.unit() - 0.5);
    const [shortest, , longest] = this.#keys;
    const choices: (() => Call)[] = [
      () => ["QUERY", longest],
      () => ["QUERY", longest],
      () => ["QUERY", longest],
      () => ["QUERY", random.pick(this.#keys)],
      () => ["MGET", ...this.#keys],
      () => ["RENAME", a, b],
      () => ["RENAME", a, b],
      () => ["RENAME", a, b],
      () => ["KV.PUT", shortest, "json", "any", "0", "0", document()],
      () => ["KV.PUT", a, "json", "any", "0", "0", document()],
      () => ["SET", a, value()],
      () => ["MSET", a, value(), b, value()],
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

function answerOf([name]: Call, reply: Answer): Answer {
  if (!(reply instanceof MinikeyError)) return name === "KV.PUT" && isKnown(reply) ? "stored" : reply;
  if (reply.code === "PATH_NOT_FOUND") return reply.message;
  return reply.code === "NOT_FOUND" ? NO_SUCH_KEY : reply;
}
