/** What the command `npm run simulate` is asked for. */
import type { ParseArgsConfig } from "node:util";
import type { StorageKind } from "../cluster/node-storage.js";
import { ALL_FAULTS } from "../faults/faults.js";
import type { ClientKind, ReadMode, SimulationOptions } from "../run/plan.js";
import { SCENARIOS } from "../run/scenarios.js";
import { ALL_WORKLOADS } from "../workloads/all.js";
import { type OptionValues, parseOptions, positive, seedOf, UsageError } from "./arguments.js";

export interface Asked {
  /** First and last seed; the last is infinite when there is a time instead. */
  readonly from: number;
  readonly to: number;
  readonly minutes: number;
  readonly scenario: string;
  /** What is fixed for every seed. */
  readonly options: Omit<SimulationOptions, "seed">;
  /** Each seed twice, and the digests compared. */
  readonly isTwice: boolean;
  /** A failure is made smaller before it is told. */
  readonly isShrunk: boolean;
  readonly trace: string | undefined;
  readonly replay: string | undefined;
  readonly isHelp: boolean;
}

const OPTIONS = {
  seed: { type: "string" },
  seeds: { type: "string" },
  minutes: { type: "string" },
  scenario: { type: "string" },
  duration: { type: "string" },
  pause: { type: "string" },
  nodes: { type: "string" },
  replicas: { type: "string" },
  partitions: { type: "string" },
  skew: { type: "string" },
  storage: { type: "string" },
  reads: { type: "string" },
  workloads: { type: "string" },
  clients: { type: "string" },
  faults: { type: "string" },
  only: { type: "string" },
  twice: { type: "boolean" },
  "no-shrink": { type: "boolean" },
  trace: { type: "string" },
  replay: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsConfig["options"];

const WORKLOAD_NAMES = ALL_WORKLOADS.map(({ name }) => name);
const FAULT_NAMES = ALL_FAULTS.map(({ name }) => name);

const list = (names: readonly string[]): string => names.join(", ");

export function helpText(): string {
  const scenarios = Object.entries(SCENARIOS).map(([name, { about }]) => `  ${name.padEnd(15)}${about}`);
  const faults = ALL_FAULTS.map(({ name, about }) => `  ${name.padEnd(15)}${about}`);
  return `npm run simulate -- [options]

Runs whole clusters in simulated time, under faults drawn from a seed, and checks every promise.

  --seed N            one life
  --seeds A..B        the lives of these seeds (default 1..20)
  --minutes M         seed after seed, from --seed or 1 on, for so long
  --scenario NAME     what is fixed; see below
  --duration S        seconds of simulated time in which clients work and faults strike
  --pause MS          how long each client pauses between its commands, about (default 30)
  --nodes N --replicas N --partitions N
                      1 to 9 of each
  --skew MS           how far wall clocks are set wrong at most
  --storage KIND      files, mixed or model
  --reads MODE        quorum, or lease: then no process stands still, for that is more than a lease withstands
  --workloads A,B     ${list(WORKLOAD_NAMES)}
  --clients KIND      nodes (right at their doors) or library (the product's own, over connections)
  --faults A,B        kinds of faults; "none" for a calm life
  --only 3,7          of the faults that the seed means, only these; "none" for none
  --twice             each seed twice: both lives must be the same in every event
  --no-shrink         report a failure as it is
  --trace FILE|-      write a timeline of the life of one seed
  --replay FILE       run the life of a timeline again, and name the first event that differs

Scenarios:
${scenarios.join("\n")}

Faults:
${faults.join("\n")}

Exit status: 0 all promises kept, 1 one was broken, 2 wrong usage.`;
}

/** Throws `UsageError`. */
export function parseUsage(args: readonly string[]): Asked {
  const values = parseOptions(args, OPTIONS);
  const minutes = values.minutes === undefined ? 0 : positive("--minutes", values.minutes);
  const scenario = oneOf("scenario", values.scenario ?? "any", Object.keys(SCENARIOS));
  const [from, to] = seedsOf(values.seed, values.seeds, minutes);
  if (values.trace !== undefined && from !== to) {
    throw new UsageError("--trace is of one life: name it with --seed N");
  }
  return {
    from,
    to,
    minutes,
    scenario,
    options: { ...SCENARIOS[scenario].options, ...optionsOf(values) },
    isTwice: values.twice === true,
    isShrunk: values["no-shrink"] !== true,
    trace: values.trace,
    replay: values.replay,
    isHelp: values.help === true,
  };
}

type Values = OptionValues<typeof OPTIONS>;

/** First and last seed. */
function seedsOf(seed: string | undefined, seeds: string | undefined, minutes: number): [number, number] {
  if (seed !== undefined && seeds !== undefined) throw new UsageError("--seed and --seeds are one too many");
  if (seeds === undefined) {
    const first = seed === undefined ? 1 : seedOf(seed);
    if (minutes > 0) return [first, Number.POSITIVE_INFINITY];
    return seed === undefined ? [1, 20] : [first, first];
  }
  const bounds = seeds.split("..");
  if (bounds.length !== 2) throw new UsageError(`"${seeds}" is no range of seeds: A..B`);
  const [from, to] = bounds.map(seedOf);
  if (from > to) throw new UsageError(`the range ${seeds} is backwards: did you mean ${to}..${from}?`);
  return [from, to];
}

const CLIENTS: readonly ClientKind[] = ["nodes", "library"];
const READ_MODES: readonly ReadMode[] = ["quorum", "lease"];
const STORAGES: readonly StorageKind[] = ["files", "mixed", "model"];
const COUNT_MAX = 9;
const SECOND_MS = 1_000;

function optionsOf(values: Values): Omit<SimulationOptions, "seed"> {
  const {
    duration,
    pause,
    nodes,
    replicas,
    partitions,
    skew,
    storage,
    reads,
    workloads,
    clients,
    faults,
    only,
  } = values;
  return {
    ...(duration === undefined ? {} : { durationMs: SECOND_MS * positive("--duration", duration) }),
    ...(pause === undefined ? {} : { pauseMs: positive("--pause", pause) }),
    ...(nodes === undefined ? {} : { nodes: countOf("--nodes", nodes) }),
    ...(replicas === undefined ? {} : { replicas: countOf("--replicas", replicas) }),
    ...(partitions === undefined ? {} : { partitions: countOf("--partitions", partitions) }),
    ...(skew === undefined ? {} : { skewMs: positive("--skew", skew) }),
    ...(storage === undefined ? {} : { storage: oneOf("storage", storage, STORAGES) }),
    ...(reads === undefined ? {} : { reads: oneOf("way to read", reads, READ_MODES) }),
    ...(workloads === undefined ? {} : { workloads: namesOf("workload", workloads, WORKLOAD_NAMES) }),
    ...(clients === undefined ? {} : { clients: oneOf("kind of clients", clients, CLIENTS) }),
    ...(faults === undefined ? {} : { faults: namesOf("fault", faults, FAULT_NAMES) }),
    ...(only === undefined ? {} : { only: numbersOf(only) }),
  };
}

function countOf(name: string, text: string): number {
  const count = /^\d$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new UsageError(`${name} takes a number from 1 to ${COUNT_MAX}, not "${text}"`);
  return count;
}

function oneOf<T extends string>(what: string, name: string, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === name);
  if (found === undefined) throw new UsageError(`there is no ${what} "${name}"; there are: ${list(known)}`);
  return found;
}

export const NONE = "none";

function namesOf(what: string, text: string, known: readonly string[]): string[] {
  return text === NONE ? [] : text.split(",").map((name) => oneOf(what, name, known));
}

function numbersOf(text: string): number[] {
  if (text === NONE) return [];
  if (!/^\d+(?:,\d+)*$/.test(text)) throw new UsageError(`--only takes numbers of faults, not "${text}"`);
  return text.split(",").map(Number);
}
