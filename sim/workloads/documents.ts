/** Documents changed in place (`JSON.*`): each is linearizable, whatever becomes of its fields. */
import { MinikeyError } from "../../src/core/errors.js";
import { History, type Model } from "../checks/linearizability.js";
import { type Answer, isKnown, isRefused } from "../cluster/client.js";
import { recordFinalRead } from "./final-read.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

/** The words of a command, without the key. */
type Call = readonly string[];

interface Content {
  n: number;
  list: string[];
  [field: string]: unknown;
}

const NOTHING = "-";
/** What a command answers that makes no sense for what is there. */
const REFUSED = "refused";
const LIST_MAX = 4;

/** The reply; `content` is changed in place, and the result is what is there afterwards. */
function execute([name, path, value]: Call, state: string): { reply: unknown; after: string } {
  if (name === "JSON.SET" && path === ".") return { reply: "OK", after: value };
  if (state === NOTHING) {
    const reply = name === "JSON.GET" ? null : name === "JSON.DEL" ? 0 : REFUSED;
    return { reply, after: state };
  }
  const content = JSON.parse(state) as Content;
  switch (name) {
    case "JSON.GET":
      return { reply: state, after: state };
    case "JSON.DEL":
      return { reply: 1, after: NOTHING };
    case "JSON.NUMINCRBY":
      content.n += Number(value);
      return { reply: String(content.n), after: JSON.stringify(content) };
    case "JSON.ARRAPPEND":
      content.list.push(JSON.parse(value) as string);
      return { reply: content.list.length, after: JSON.stringify(content) };
    case "JSON.SET":
      content[path.slice(1)] = JSON.parse(value);
      return { reply: "OK", after: JSON.stringify(content) };
    default:
      throw new Error(`${name} is not modelled`);
  }
}

const MODEL: Model<Call> = {
  initial: NOTHING,
  step(state, call, answer) {
    const { reply, after } = execute(call, state);
    return answer === undefined || answer === reply ? [after] : [];
  },
};

const KEYS = ["d0", "d1", "d2"];

export class Documents implements Workload {
  readonly name = "documents";
  readonly property = "linearizability";
  readonly #histories = new Map<string, History<Call>>(KEYS.map((key) => [key, new History()]));
  #written = 0;

  start(load: Load): void {
    for (let i = 0; i < 3; i += 1) {
      const client = load.newClient();
      repeat(load, (next) => this.#act(load, client, next));
    }
  }

  #act(load: Load, client: LoadClient, next: () => void): void {
    const { world } = load;
    const key = world.random.pick(KEYS);
    const call = this.#newCall(load);
    const [name, ...args] = call;
    const invokedMs = world.nowMs;
    client.send([name, key, ...args], (reply) => {
      const answer = answerOf(reply);
      const history = this.#histories.get(key);
      if (isKnown(answer)) history?.record(call, answer, invokedMs, world.nowMs);
      else if (name !== "JSON.GET" && !isRefused(answer)) {
        history?.record(call, undefined, invokedMs, world.nowMs);
      }
      next();
    });
  }

  #newCall(load: Load): Call {
    const { random } = load.world;
    this.#written += 1;
    const value = JSON.stringify(`x${this.#written}`);
    const list = Array.from({ length: random.below(LIST_MAX) }, (_, i) => `x${this.#written}-${i}`);
    const whole = JSON.stringify({ n: this.#written, list, f: "" });
    return random.pick<Call>([
      ["JSON.GET", "."],
      ["JSON.GET", "."],
      ["JSON.GET", "."],
      ["JSON.SET", ".", whole],
      ["JSON.SET", ".", whole],
      ["JSON.SET", ".f", value],
      ["JSON.SET", ".g", value],
      ["JSON.NUMINCRBY", ".n", `${1 + random.below(9)}`],
      ["JSON.ARRAPPEND", ".list", value],
      ["JSON.DEL", "."],
    ]);
  }

  async check(load: Load): Promise<void> {
    for (const [key, history] of this.#histories) {
      await recordFinalRead(load, history, ["JSON.GET", "."], ["JSON.GET", key, "."], answerOf);
      load.judge.expect(MODEL, history.operations, key);
    }
  }
}

/** An error that does not go away by trying again is an answer. A sum comes as text, and in RESP3 as a list. */
function answerOf(reply: Answer): Answer {
  if (Array.isArray(reply)) return String(reply[0]);
  if (typeof reply === "object" && reply !== null && "resp2" in reply) return reply.resp2;
  const isAnswer = reply instanceof MinikeyError && reply.outcome !== "unknown" && !reply.retryable;
  return isAnswer ? REFUSED : reply;
}
