/** One node: `minikey start` as a process of its own, which can be killed, stopped, continued and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { NodeAddress } from "../machine/network.js";

const MINIKEY = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const LOG_LINES_TOLD = 8;

/** Ends with the process that started them, however that ends. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface NodeFiles {
  readonly data: string;
  readonly log: string;
}

export class RealNode {
  readonly id: string;
  readonly address: NodeAddress;
  readonly files: NodeFiles;
  isPaused = false;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #isEndWanted = true;
  /** Where the log of this process begins in the file. */
  #lifeLogStart = 0;
  /** How it ended by itself; undefined unless it did. */
  #ownEnd: string | undefined;

  constructor(id: string, address: NodeAddress, files: NodeFiles) {
    this.id = id;
    this.address = address;
    this.files = files;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** It runs, and nobody has asked it to end. */
  get isWanted(): boolean {
    return this.#child !== undefined && !this.#isEndWanted;
  }

  get ownEnd(): string | undefined {
    return this.#ownEnd;
  }

  /** Resolves when there is no process. */
  get gone(): Promise<void> {
    return this.#gone;
  }

  /** Returns the id of the process. */
  start(place: (command: readonly string[]) => readonly string[], flags: readonly string[]): number {
    mkdirSync(this.files.data, { recursive: true });
    const [file, ...args] = place([process.execPath, MINIKEY, "start", ...flags]);
    const log = openSync(this.files.log, "a");
    this.#lifeLogStart = fstatSync(log).size;
    // A group of its own: Ctrl-C is for the run alone.
    const child = spawn(file, args, { stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    if (child.pid === undefined) throw new Error(`${this.id} could not be started: ${file}`);
    this.#child = child;
    this.#isEndWanted = false;
    running.add(child);
    this.#gone = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        running.delete(child);
        this.#child = undefined;
        this.isPaused = false;
        if (!this.#isCleanEnd(code, signal))
          this.#ownEnd ??= `${this.id} ended with ${signal ?? code}:\n${this.#lastLines()}`;
        resolve();
      });
    });
    return child.pid;
  }

  /** SIGKILL, which a stopped process hears too. */
  async kill(): Promise<void> {
    this.#isEndWanted = true;
    this.#child?.kill("SIGKILL");
    await this.#gone;
  }

  /** SIGTERM; returns whether it ended in time, else it is killed. */
  async stop(limitMs: number): Promise<boolean> {
    this.#isEndWanted = true;
    this.#child?.kill("SIGTERM");
    let isInTime = true;
    const insist = setTimeout(() => {
      isInTime = false;
      this.#child?.kill("SIGKILL");
    }, limitMs);
    await this.#gone;
    clearTimeout(insist);
    return isInTime;
  }

  pause(): void {
    this.isPaused = true;
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.isPaused = false;
    this.#child?.kill("SIGCONT");
  }

  /** As a lost disk does. */
  wipe(): void {
    rmSync(this.files.data, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A process hears SIGTERM only when it is about to be up; before, the signal ends it. */
  #isCleanEnd(code: number | null, signal: NodeJS.Signals | null): boolean {
    if (!this.#isEndWanted) return false;
    return code === 0 || signal === "SIGKILL" || (signal === "SIGTERM" && !this.#lifeLog().includes("is up"));
  }

  #lifeLog(): string {
    return readFileSync(this.files.log).subarray(this.#lifeLogStart).toString();
  }

  #lastLines(): string {
    return readFileSync(this.files.log, "utf8").trimEnd().split("\n").slice(-LOG_LINES_TOLD).join("\n");
  }
}
