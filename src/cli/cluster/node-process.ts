/**
 * One node as a child process. Its output goes straight into its log file, not through this process: a node
 * must not depend on somebody reading. It stops by itself when this process is gone, because its standard
 * input then ends (`--stop-with-parent`).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from "node:fs";
import type { NodePlan } from "./layout.js";

export interface NodeEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const LOG_BYTES_MAX = 16 * 1024 * 1024;
const LOG_TAIL_BYTES = 16 * 1024;

export class NodeProcess {
  readonly plan: NodePlan;
  readonly #child: ChildProcess;
  /** Resolves when the process has ended; never rejects. */
  readonly ended: Promise<NodeEnd>;
  #end: NodeEnd | undefined;

  /** @param command the program and its first arguments, before those of `minikey` */
  constructor(plan: NodePlan, command: readonly string[], args: readonly string[]) {
    this.plan = plan;
    mkdirSync(plan.dataDir, { recursive: true });
    rotateLog(plan.logPath);
    const log = openSync(plan.logPath, "a", 0o600);
    const [program, ...first] = command;
    // A process group of its own: Ctrl-C at the terminal reaches this process, which then stops the nodes in order.
    this.#child = spawn(program, [...first, ...args, "--stop-with-parent"], {
      stdio: ["pipe", log, log],
      detached: true,
    });
    closeSync(log);
    // The child's side of the pipe may be closed; nothing is ever written into it.
    this.#child.stdin?.on("error", () => {});
    this.ended = new Promise((resolve) => {
      const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#end ??= { code, signal };
        resolve(this.#end);
      };
      this.#child.once("error", () => finish(-1, null));
      this.#child.once("exit", finish);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How the process ended; undefined while it runs. */
  get end(): NodeEnd | undefined {
    return this.#end;
  }

  /** Calls back once, when the process has ended; at once when it has already. */
  onEnd(callback: (end: NodeEnd) => void): void {
    if (this.#end !== undefined) callback(this.#end);
    else this.#child.once("exit", (code, signal) => callback({ code, signal }));
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#end === undefined) this.#child.kill(signal);
  }

  /** `was killed by SIGKILL`, or `ended with status 1: disk full`: its own last words, where it had any. */
  describeEnd(end: NodeEnd): string {
    return end.signal === null
      ? `ended with status ${end.code}: ${this.lastLogLine()}`
      : `was killed by ${end.signal}`;
  }

  lastLogLine(): string {
    const line = readTail(this.plan.logPath).trimEnd().split("\n").at(-1) ?? "";
    return plainLogLine(line);
  }
}

/** The previous log is kept beside the new one. */
function rotateLog(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
}

function readTail(path: string): string {
  const file = openSync(path, "r");
  try {
    const size = statSync(path).size;
    const tail = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES));
    const read = readSync(file, tail, 0, tail.length, size - tail.length);
    return tail.toString("utf8", 0, read);
  } finally {
    closeSync(file);
  }
}

/** The text of a log line: pino writes JSON, an early failure is plain text. */
export function plainLogLine(line: string): string {
  if (!line.startsWith("{")) return line.replace(/^minikey: /, "");
  try {
    const { msg, reason, err } = JSON.parse(line) as {
      msg?: unknown;
      reason?: unknown;
      err?: { message?: unknown };
    };
    const texts = [msg, reason, err?.message].filter((text) => typeof text === "string" && text !== "");
    return texts.length > 0 ? [...new Set(texts)].join(": ") : line;
  } catch {
    return line;
  }
}
