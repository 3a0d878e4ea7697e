/**
 * Bundles of keys that are always written together, in several partitions: whoever reads a bundle finds the same
 * value in all of its keys, and each bundle is a register.
 */
import { History } from "../checks/linearizability.js";
import { type Answer, isKnown, isRefused } from "../cluster/client.js";
import { recordFinalRead } from "./final-read.js";
import { REGISTER, type RegisterCall } from "./registers.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

const CLIENTS = 12;
const BUNDLES = 12;
const KEYS = 3;

class Bundle {
  readonly keys: readonly string[];
  readonly history = new History<RegisterCall>();

  constructor(number: number) {
    this.keys = Array.from({ length: KEYS }, (_, i) => `bundle-${number}-${i}`);
  }
}

/** The one value that all of them are; what was never written when they are not the same. */
function common(values: readonly unknown[]): unknown {
  return values.every((value) => value === values[0])
    ? values[0]
    : `of different writes: ${values.join(" ")}`;
}

export class Bundles implements Workload {
  readonly name = "bundles";
  readonly property = "linearizability";
  readonly #bundles = Array.from({ length: BUNDLES }, (_, i) => new Bundle(i));
  #written = 0;

  start(load: Load): void {
    for (let i = 0; i < CLIENTS; i += 1) {
      const client = load.newClient();
      repeat(load, (next) => this.#act(load, client, next));
    }
  }

  #act(load: Load, client: LoadClient, next: () => void): void {
    const { random } = load.world;
    const bundle = random.pick(this.#bundles);
    const choice = random.unit();
    if (choice < 0.6) this.#write(load, client, bundle, next);
    else this.#read(load, client, bundle, choice < 0.9 ? bundle.keys : [random.pick(bundle.keys)], next);
  }

  #write(load: Load, client: LoadClient, { keys, history }: Bundle, next: () => void): void {
    const { world } = load;
    const invokedMs = world.nowMs;
    this.#written += 1;
    const value = `b${this.#written}`;
    client.send(["MSET", ...keys.flatMap((key) => [key, value])], (answer: Answer) => {
      if (isRefused(answer)) for (const key of keys) load.onRefused?.(key, value);
      else {
        const known = isKnown(answer) ? answer : undefined;
        history.record({ do: "set", value }, known, invokedMs, world.nowMs);
      }
      next();
    });
  }

  #read(
    load: Load,
    client: LoadClient,
    { history }: Bundle,
    keys: readonly string[],
    next: () => void,
  ): void {
    const { world } = load;
    const invokedMs = world.nowMs;
    client.send(["MGET", ...keys], (answer: Answer) => {
      if (isKnown(answer)) {
        history.record({ do: "get" }, common(answer as readonly unknown[]), invokedMs, world.nowMs);
      }
      next();
    });
  }

  async check(load: Load): Promise<void> {
    for (const { keys, history } of this.#bundles) {
      const understand = (reply: Answer): Answer =>
        isKnown(reply) ? common(reply as readonly unknown[]) : reply;
      await recordFinalRead(load, history, { do: "get" }, ["MGET", ...keys], understand);
      const read = new Set(history.operations.map(({ answer }) => answer));
      // A write of unknown outcome that nobody has seen explains nothing.
      const operations = history.operations.filter(
        ({ call, answer }) => answer !== undefined || call.do === "get" || read.has(call.value),
      );
      load.judge.expect(REGISTER, operations, keys.join(" "));
    }
  }
}
