/** What the command `npm run torture` is asked for. */
import type { ParseArgsConfig } from "node:util";
import { parseOptions, positive, SEED_MAX, seedOf, UsageError } from "../../sim/command/arguments.js";
import { ALL_FAULTS } from "../faults/faults.js";

export interface Asked {
  /** Of the first life; the next has the next. */
  readonly seed: number;
  readonly minutes: number;
  readonly lifeMs: number;
  /** By the seed when undefined. */
  readonly nodes: number | undefined;
  /** Names; undefined for all. */
  readonly faults: readonly string[] | undefined;
  /** Logs and data stay. */
  readonly isKept: boolean;
  /** All nodes on one address, though there may be more. */
  readonly isLoopback: boolean;
  /** The process is in a network namespace of its own already. */
  readonly isInside: boolean;
  readonly isHelp: boolean;
}

/** Not for people: the command gives it to itself. */
export const INSIDE_FLAG = "--inside";

const OPTIONS = {
  minutes: { type: "string" },
  seed: { type: "string" },
  life: { type: "string" },
  nodes: { type: "string" },
  faults: { type: "string" },
  loopback: { type: "boolean" },
  keep: { type: "boolean" },
  inside: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

const NODES: ReadonlySet<string> = new Set(["1", "3", "5", "7"]);
const SECOND_MS = 1_000;
const MINUTES = 2;
const LIFE_SECONDS = 30;

export function helpText(): string {
  const faults = ALL_FAULTS.map(({ name, about }) => `  ${name.padEnd(15)}${about}`);
  return `npm run torture -- [options]

Runs clusters of real processes, one life after the other, under faults drawn from a seed, while clients of all kinds
work on them; heals each, and checks every promise.

  --minutes M        for so long (default ${MINUTES})
  --seed N           of the first life: which faults strike which nodes, in which order; the next life has N + 1.
                     Drawn and printed when absent
  --life S           seconds of faults in each life (default ${LIFE_SECONDS})
  --nodes N          1, 3, 5 or 7 (default: by the seed)
  --faults A,B       kinds of faults; "none" for a calm life
  --loopback         no network of its own: all nodes on 127.0.0.1, no faults of the network
  --keep             leave logs and data

Faults:
${faults.join("\n")}

Each node is in a network namespace of its own where the machine allows that (root, or user namespaces). Where it does
not, this is said, and the network's faults are left out.

Exit status: 0 all promises kept, 1 one was broken, 2 wrong usage.`;
}

/** Throws `UsageError`. */
export function parseUsage(args: readonly string[]): Asked {
  const values = parseOptions(args, OPTIONS);
  return {
    seed: values.seed === undefined ? Math.floor(Math.random() * SEED_MAX) : seedOf(values.seed),
    minutes: values.minutes === undefined ? MINUTES : positive("--minutes", values.minutes),
    lifeMs: SECOND_MS * (values.life === undefined ? LIFE_SECONDS : positive("--life", values.life)),
    nodes: values.nodes === undefined ? undefined : nodesOf(values.nodes),
    faults: values.faults === undefined ? undefined : faultsOf(values.faults),
    isKept: values.keep === true,
    isLoopback: values.loopback === true,
    isInside: values.inside === true,
    isHelp: values.help === true,
  };
}

function nodesOf(text: string): number {
  if (!NODES.has(text)) throw new UsageError(`--nodes takes one of ${[...NODES].join(", ")}, not "${text}"`);
  return Number(text);
}

function faultsOf(text: string): readonly string[] {
  if (text === "none") return [];
  const known = ALL_FAULTS.map(({ name }) => name);
  const wanted = text.split(",");
  for (const name of wanted) {
    if (!known.includes(name))
      throw new UsageError(`there is no fault "${name}"; there are: ${known.join(", ")}`);
  }
  return wanted;
}
