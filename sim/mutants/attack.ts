/**
 * Lives seed after seed of one attack, until a promise is broken: in a process of its own, from whatever sources it
 * was compiled with. Arguments: the attack as JSON, and the first and last seed. Prints a line of JSON a life.
 */
import { SCENARIOS } from "../run/scenarios.js";
import { simulate } from "../run/simulation.js";
import type { Attack } from "./mutant.js";

/** What is known of one life. */
export interface LifeLine {
  readonly seed: number;
  /** The promise that was broken. */
  readonly property?: string;
  readonly message?: string;
}

const [attackText, from, to] = process.argv.slice(2);
const { scenario, options } = JSON.parse(attackText) as Attack;

for (let seed = Number(from); seed <= Number(to); seed += 1) {
  const { violation } = await simulate({ ...SCENARIOS[scenario].options, ...options, seed });
  const { property, message } = violation ?? {};
  const line: LifeLine = { seed, ...(property === undefined ? {} : { property, message: message ?? "" }) };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (property !== undefined) break;
}
