/**
 * Keys that expire: what was read as gone is never seen again, what has no expiry or a late one stays, and in
 * the end all that was to go is gone. Wall clocks may differ.
 */
import { History, type Model } from "../checks/linearizability.js";
import { isKnown, isRefused } from "../cluster/client.js";
import { recordFinalRead } from "./final-read.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

/** `lasting` is a time to live that does not end in this simulation. */
type Life = "for ever" | "soon gone" | "lasting";

type Call =
  | { readonly do: "get" | "persist" | "delete" | "get when all is over" }
  | { readonly do: "set" | "add"; readonly value: string; readonly life: Life }
  | { readonly do: "expire"; readonly life: Life };

/** A state is `-`, or a value and a mark: `!` soon gone, `~` lasting, `.` for ever. */
const NOTHING = "-";
const MARKS: Record<Life, string> = { "for ever": ".", "soon gone": "!", lasting: "~" };
const LASTING_MS = 1_000_000;
const SOON_MS = 1_500;
/** The most that two simulated nodes' wall clocks differ. */
const CLOCKS_APART_MS = 10_000;

function stepFrom(state: string, call: Call, answer: unknown): readonly string[] {
  const isThere = state !== NOTHING;
  const value = state.slice(0, -1);
  const mark = state.slice(-1);
  const replying = (reply: unknown, after: string) =>
    answer === undefined || answer === reply ? [after] : [];
  switch (call.do) {
    case "get when all is over":
      return mark === "!" ? [] : replying(isThere ? value : null, state);
    case "get":
      return replying(isThere ? value : null, state);
    case "set":
      return replying("OK", call.value + MARKS[call.life]);
    case "add":
      return isThere ? replying(null, state) : replying("OK", call.value + MARKS[call.life]);
    case "persist":
      return isThere && mark !== "." ? replying(1, `${value}.`) : replying(0, state);
    case "expire":
      return isThere ? replying(1, value + MARKS[call.life]) : replying(0, state);
    case "delete":
      return isThere ? replying(1, NOTHING) : replying(0, state);
  }
}

const MODEL: Model<Call> = {
  initial: NOTHING,
  step(state, call, answer) {
    // A key's time may have come without anybody having noticed yet.
    const states = state.endsWith("!") ? [state, NOTHING] : [state];
    return [...new Set(states.flatMap((each) => stepFrom(each, call, answer)))];
  },
};

export class Expiring implements Workload {
  readonly name = "expiring";
  readonly property = "linearizability";
  readonly #keys = ["e0", "e1", "e2"];
  readonly #histories = new Map<string, History<Call>>(this.#keys.map((key) => [key, new History()]));
  readonly #clocksApartMs: number;
  #written = 0;

  /** @param clocksApartMs the most that two nodes' wall clocks differ */
  constructor(clocksApartMs = CLOCKS_APART_MS) {
    this.#clocksApartMs = clocksApartMs;
  }

  start(load: Load): void {
    for (let i = 0; i < 4; i += 1) {
      const client = load.newClient({}, 0.3);
      repeat(load, (next) => this.#act(load, client, next));
    }
  }

  #act(load: Load, client: LoadClient, next: () => void): void {
    const { random } = load.world;
    const key = random.pick(this.#keys);
    const choice = random.unit();
    const life = random.pick<Life>(["soon gone", "soon gone", "lasting"]);
    const lifeMs = life === "lasting" ? LASTING_MS : 1 + random.below(SOON_MS);
    this.#written += 1;
    const value = `x${this.#written}`;
    if (choice < 0.55) this.#call(load, client, key, ["GET", key], { do: "get" }, next);
    else if (choice < 0.75) {
      const words = ["SET", key, value, "PX", `${lifeMs}`];
      this.#call(load, client, key, words, { do: "set", value, life }, next);
    } else if (choice < 0.82) {
      const words = ["SET", key, value, "NX", "PX", `${lifeMs}`];
      this.#call(load, client, key, words, { do: "add", value, life }, next);
    } else if (choice < 0.87) {
      this.#call(load, client, key, ["SET", key, value], { do: "set", value, life: "for ever" }, next);
    } else if (choice < 0.92) {
      this.#call(load, client, key, ["PEXPIRE", key, `${lifeMs}`], { do: "expire", life }, next);
    } else if (choice < 0.97) this.#call(load, client, key, ["PERSIST", key], { do: "persist" }, next);
    else this.#call(load, client, key, ["DEL", key], { do: "delete" }, next);
  }

  #call(
    load: Load,
    client: LoadClient,
    key: string,
    words: readonly string[],
    call: Call,
    next: () => void,
  ): void {
    const { world } = load;
    const invokedMs = world.nowMs;
    client.send(words, (answer) => {
      const isRead = call.do === "get";
      if (isKnown(answer)) this.#histories.get(key)?.record(call, answer, invokedMs, world.nowMs);
      else if (!isRead && !isRefused(answer)) {
        this.#histories.get(key)?.record(call, undefined, invokedMs, world.nowMs);
      }
      next();
    });
  }

  async check(load: Load): Promise<void> {
    const { world } = load;
    await world.run(SOON_MS + this.#clocksApartMs, () => false);
    for (const [key, history] of this.#histories) {
      await recordFinalRead(load, history, { do: "get when all is over" }, ["GET", key]);
      load.judge.expect(MODEL, history.operations, key);
    }
  }
}
