/**
 * `COMPUTE` of a sum whose parts, in three partitions, change together all the time: it must be the same sum every
 * time, for all parts are read at one moment.
 */
import { MinikeyError } from "../../src/core/errors.js";
import { SLOT_COUNT, slotOfKey } from "../../src/sharding/slots.js";
import { type Answer, isKnown, isRefused } from "../cluster/client.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

const TOTAL = 1_000_000;
/** So many writes done, and no formula computed, is no bad luck. */
const WRITES_WITHOUT_ANSWER_MAX = 20;

/** In as many partitions as there are, up to three. */
const KEYS: readonly string[] = [0, 1, 2].map((third) => {
  for (let i = 0; ; i += 1) {
    const key = `f${i}`;
    if (Math.floor((3 * slotOfKey(key)) / SLOT_COUNT) === third) return key;
  }
});

const QUESTION = `COMPUTE x+y+z WHERE x = QUERY ${KEYS[0]} AND y = QUERY ${KEYS[1]} AND z = QUERY ${KEYS[2]}`;

export class Formulas implements Workload {
  readonly name = "formulas";
  readonly property = "reads of one moment";
  #computed = 0;
  /** Writes that are done for certain. */
  #written = 0;

  start(load: Load): void {
    for (let i = 0; i < 2; i += 1) {
      const writer = load.newClient();
      repeat(load, (next) => this.#move(load, writer, next));
      const reader = load.newClient();
      repeat(load, (next) => this.#compute(load, reader, next));
    }
  }

  #move(load: Load, client: LoadClient, next: () => void): void {
    const { random } = load.world;
    const x = random.below(TOTAL);
    const y = random.below(TOTAL);
    const parts = [x, y, TOTAL - x - y];
    client.send(["MSET", ...KEYS.flatMap((key, i) => [key, String(parts[i])])], (answer) => {
      if (isKnown(answer)) this.#written += 1;
      next();
    });
  }

  #compute(load: Load, client: LoadClient, next: () => void): void {
    const wasWritten = this.#written > 0;
    client.send(QUESTION.split(" "), (answer) => {
      load.expect(isRight(answer, wasWritten), `${QUESTION} replied ${String(answer)}, not ${TOTAL}`);
      if (isKnown(answer)) this.#computed += 1;
      next();
    });
  }

  async check(load: Load): Promise<void> {
    const isAnswered = this.#computed > 0 || this.#written <= WRITES_WITHOUT_ANSWER_MAX;
    load.expect(isAnswered, "no formula was ever computed");
    await Promise.resolve();
  }
}

/** Nothing is there before the first write. */
function isRight(answer: Answer, wasWritten: boolean): boolean {
  if (answer instanceof MinikeyError && answer.code === "PATH_NOT_FOUND") return !wasWritten;
  return isKnown(answer) ? answer === String(TOTAL) : answer === undefined || isRefused(answer);
}
