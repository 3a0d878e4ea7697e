/**
 * A copy of the sources in a temporary directory, in which mutants are made one after the other: only what a mutant
 * changes is compiled again. The copy is compiled without complaints about what a mutant leaves unused.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LifeLine } from "./attack.js";
import type { Attack, Mutant } from "./mutant.js";

/** Hundreds of times what a life takes: it does not end. */
const LIFE_LIMIT_MS = 300_000;
const ERROR_CHARACTERS_MAX = 2_000;

/** The first promise broken, or undefined. */
export interface Hunt {
  /** Lives until then, or all. */
  readonly seeds: number;
  readonly broken: Required<LifeLine> | undefined;
}

/** The mutant does not fit the sources. */
export class UnfitError extends Error {}

/** `source` with the mutant's change. Throws `UnfitError` when the place is not there exactly once. */
export function mutate(source: string, { name, file, text, replacement }: Mutant): string {
  const count = source.split(text).length - 1;
  if (count !== 1)
    throw new UnfitError(`mutant ${name}: its text stands in ${file} ${count} times, not once`);
  return source.replace(text, () => replacement);
}

export class Workshop {
  readonly #directory: string;
  #changed: { readonly path: string; readonly original: string } | undefined;

  #attacking: ChildProcess | undefined;

  /** A copy of the repository at `root`. */
  constructor(root: string) {
    this.#directory = mkdtempSync(join(tmpdir(), "minikey-mutants-"));
    for (const name of ["src", "sim", "package.json", "tsconfig.base.json"]) {
      cpSync(join(root, name), join(this.#directory, name), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(this.#directory, "node_modules"));
    const base = join(this.#directory, "tsconfig.base.json");
    writeFileSync(base, readFileSync(base, "utf8").replace(/("noUnused\w+"): true/g, "$1: false"));
  }

  /** The sources as they are. */
  restore(): void {
    if (this.#changed !== undefined) writeFileSync(this.#changed.path, this.#changed.original);
    this.#changed = undefined;
  }

  make(mutant: Mutant): void {
    this.restore();
    const path = join(this.#directory, mutant.file);
    const original = readFileSync(path, "utf8");
    writeFileSync(path, mutate(original, mutant));
    this.#changed = { path, original };
  }

  /** Throws `UnfitError` when the sources do not compile. */
  compile(): void {
    const tsc = join(this.#directory, "node_modules/typescript/bin/tsc");
    const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-b", "sim"], {
      cwd: this.#directory,
      encoding: "utf8",
    });
    if (status !== 0) throw new UnfitError(`it does not compile:\n${stdout}${stderr}`);
  }

  /** Lives the seeds `from` to `to`, until one of them breaks a promise. */
  async attack(attack: Attack, from: number, to: number): Promise<Hunt> {
    const script = join(this.#directory, "dist/sim/mutants/attack.js");
    const child = spawn(process.execPath, [script, JSON.stringify(attack), `${from}`, `${to}`], {
      cwd: this.#directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#attacking = child;
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-ERROR_CHARACTERS_MAX);
    });
    const ended = new Promise<number | null>((resolve) => {
      child.on("close", resolve);
    });
    let seeds = 0;
    let isStuck = false;
    const limit = setTimeout(() => {
      isStuck = true;
      child.kill("SIGKILL");
    }, LIFE_LIMIT_MS);
    for await (const text of createInterface(child.stdout)) {
      limit.refresh();
      seeds += 1;
      const { property, message = "", seed } = JSON.parse(text) as LifeLine;
      if (property !== undefined) {
        clearTimeout(limit);
        await ended;
        return { seeds, broken: { property, message, seed } };
      }
    }
    clearTimeout(limit);
    const status = await ended;
    if (status === 0) return { seeds, broken: undefined };
    // What is thrown where nobody waits for it ends a node's process, and here all of them.
    const thrown = /^\w*(?:Error|Failure)\b.*$/m.exec(errors)?.[0] ?? errors;
    const broken = isStuck
      ? { property: "liveness", message: "the life does not end" }
      : { property: "no node ends by itself", message: thrown };
    return { seeds: seeds + 1, broken: { ...broken, seed: from + seeds } };
  }

  remove(): void {
    this.#attacking?.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
