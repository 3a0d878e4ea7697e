/**
 * The storage engines under the load of a node: ns an operation, memory an entry, the longest turn of the
 * event loop during a checkpoint, time to open again. A `Map` of strings to buffers is there to compare with.
 *
 * Run: npm run bench -- engines [KEYS] [GROUPS]
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { EngineName } from "./run.js";

const [keys = "1000000", groups = "32"] = process.argv.slice(2);
const ENGINES: readonly EngineName[] = ["memory", "disk", "map"];

interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
}

/** Runs one engine in a process of its own and prints its figures as they come. */
function runEngine(engine: EngineName): Promise<void> {
  process.stdout.write(`\n${engine}: ${keys} keys of 16 bytes, values of 64 bytes, ${groups} groups\n`);
  return new Promise((resolve, reject) => {
    const run = fileURLToPath(new URL("./run.js", import.meta.url));
    const child = fork(run, [engine, keys, groups], { execArgv: ["--expose-gc"] });
    child.on("message", ({ figure, value, unit }: Figure) => {
      process.stdout.write(
        `  ${figure.padEnd(34)} ${value.toFixed(value < 10 ? 1 : 0).padStart(8)} ${unit}\n`,
      );
    });
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${engine} ended with ${code}`))));
  });
}

for (const engine of ENGINES) await runEngine(engine);
