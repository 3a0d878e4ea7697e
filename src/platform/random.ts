/**
 * The system's randomness behind the `Random` port: fast and unpredictable enough for time-outs and choices
 * (`unit`, `below`), from the operating system for identifiers that must never collide (`id48`).
 */
import { randomBytes } from "node:crypto";
import type { Random } from "../ports/random.js";

export function systemRandom(): Random {
  return {
    unit: () => Math.random(),
    below: (bound) => Math.floor(Math.random() * bound),
    id48: () => randomBytes(6).readUIntLE(0, 6),
  };
}
