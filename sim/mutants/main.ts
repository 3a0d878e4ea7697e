/**
 * `npm run mutants`: shows that the simulator's checkers see mistakes. Each mutant is made in a copy of the sources
 * and attacked seed by seed until a promise is broken; the product as it is then lives the same seed, and must keep
 * all promises. Exit status: 0 when all were caught, 1 when one lives, 2 for wrong usage.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseOptions, UsageError } from "../command/arguments.js";
import { MUTANTS } from "./all.js";
import type { Mutant } from "./mutant.js";
import { UnfitError, Workshop } from "./workshop.js";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const MESSAGE_CHARACTERS_MAX = 160;
/** Of the column: as wide as the longest promise. */
const PROPERTY_CHARACTERS = 41;

const HELP = `npm run mutants -- [options]

Makes mutants, small mistakes, in a copy of the product, and shows that the simulator catches each.

  --only A,B       these mutants
  --seeds-max N    no more seeds a mutant than that
  --jobs J         so many at a time (default 1)
  --list           what mutants there are
  --help

Exit status: 0 all caught, 1 one lives, 2 wrong usage.`;

const OPTIONS = {
  only: { type: "string" },
  "seeds-max": { type: "string" },
  jobs: { type: "string" },
  list: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

interface Asked {
  readonly mutants: readonly Mutant[];
  readonly seedsMax: number;
  readonly jobs: number;
  readonly isList: boolean;
  readonly isHelp: boolean;
}

function parseUsage(args: readonly string[]): Asked {
  const { only, list, help, jobs, ...rest } = parseOptions(args, OPTIONS);
  const names = only?.split(",") ?? MUTANTS.map(({ name }) => name);
  return {
    mutants: names.map(mutantNamed),
    seedsMax: count("--seeds-max", rest["seeds-max"]) ?? Number.POSITIVE_INFINITY,
    jobs: count("--jobs", jobs) ?? 1,
    isList: list === true,
    isHelp: help === true,
  };
}

function mutantNamed(name: string): Mutant {
  const found = MUTANTS.find((mutant) => mutant.name === name);
  if (found === undefined) throw new UsageError(`there is no mutant "${name}"; --list names them`);
  return found;
}

function count(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new UsageError(`${option} takes a number above 0, not "${text}"`);
  return Number(text);
}

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

/** What became of one mutant. */
interface Outcome {
  readonly isCaught: boolean;
  readonly row: string;
}

async function hunt(
  mutant: Mutant,
  seedsMax: number,
  workshop: Workshop,
  product: Workshop,
): Promise<Outcome> {
  const startMs = performance.now();
  const { name, attack, mistake } = mutant;
  const told = (isCaught: boolean, text: string): Outcome => ({ isCaught, row: `${name.padEnd(34)}${text}` });
  try {
    workshop.make(mutant);
    workshop.compile();
  } catch (error) {
    if (!(error instanceof UnfitError)) throw error;
    return told(false, `does not fit: ${error.message}`);
  }
  const { seeds, broken } = await workshop.attack(attack, 1, Math.min(attack.seedsMax, seedsMax));
  const seconds = `${((performance.now() - startMs) / 1000).toFixed(0)} s`;
  if (broken === undefined) return told(false, `LIVES after ${seeds} seeds, ${seconds}: ${mistake}`);
  const { property, seed, message } = broken;
  const blame = (await product.attack(attack, seed, seed)).broken;
  if (blame !== undefined) {
    return told(false, `proves nothing: the product itself breaks "${blame.property}" at seed ${seed}`);
  }
  const says = message.replace(/\s+/g, " ").slice(0, MESSAGE_CHARACTERS_MAX);
  return told(
    true,
    `${property.padEnd(PROPERTY_CHARACTERS)}seed ${`${seed}`.padEnd(6)}${seconds.padStart(6)}  ${says}`,
  );
}

async function run(asked: Asked): Promise<number> {
  const { mutants, seedsMax, jobs } = asked;
  const product = new Workshop(ROOT);
  const workshops = Array.from({ length: Math.min(jobs, mutants.length) }, () => new Workshop(ROOT));
  const remove = () => {
    for (const workshop of [product, ...workshops]) workshop.remove();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      remove();
      process.exit(1);
    });
  }
  try {
    product.compile();
    say(
      `${"mutant".padEnd(34)}${"caught by".padEnd(PROPERTY_CHARACTERS)}${"at".padEnd(11)}${"after".padStart(6)}  what was seen`,
    );
    const waiting = [...mutants];
    const outcomes: Outcome[] = [];
    const work = async (workshop: Workshop) => {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const outcome = await hunt(mutant, seedsMax, workshop, product);
        say(outcome.row);
        outcomes.push(outcome);
      }
    };
    await Promise.all(workshops.map(work));
    const alive = outcomes.filter(({ isCaught }) => !isCaught);
    say(`${outcomes.length - alive.length} of ${outcomes.length} mutants caught`);
    return alive.length === 0 ? 0 : 1;
  } finally {
    remove();
  }
}

function list(mutants: readonly Mutant[]): void {
  for (const { name, file, mistake, attack } of mutants) {
    say(
      `${name.padEnd(34)}${file}, scenario ${attack.scenario}, up to ${attack.seedsMax} seeds\n    ${mistake}`,
    );
  }
}

try {
  const asked = parseUsage(process.argv.slice(2));
  if (asked.isHelp) say(HELP);
  else if (asked.isList) list(asked.mutants);
  else process.exitCode = await run(asked);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`mutants: ${error.message}\n`);
  process.exitCode = 2;
}
