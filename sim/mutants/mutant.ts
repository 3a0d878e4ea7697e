/** A small change to the product, such as a careful person could make by mistake, and what it is attacked with. */
import type { SimulationOptions } from "../run/plan.js";

/** Lives of the simulator, as `npm run simulate` lives them: nothing that knows of a mutant. */
export interface Attack {
  /** One of `SCENARIOS`. */
  readonly scenario: string;
  /** What is fixed beside it. */
  readonly options?: Partial<Omit<SimulationOptions, "seed" | "trace">>;
  /** A mutant that is not caught by the seeds from 1 up to here lives. */
  readonly seedsMax: number;
}

export interface Mutant {
  readonly name: string;
  /** What somebody may have thought, or forgotten. */
  readonly mistake: string;
  /** Where, from the root of the repository. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly text: string;
  readonly replacement: string;
  readonly attack: Attack;
}

/** Whole clusters, everything drawn from the seed, as in most lives. */
export const ANY: Attack = { scenario: "any", seedsMax: 200 };
/** One group alone: a thousand of these lives take as long as two or three of a cluster. */
export const GROUP: Attack = { scenario: "group", seedsMax: 60_000 };
