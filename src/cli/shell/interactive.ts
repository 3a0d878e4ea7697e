/**
 * The shell at a terminal: prompt, history, Tab. Ctrl-C clears the line, or stops waiting for an answer;
 * Ctrl-D leaves.
 */
import { createInterface, type Interface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { MinikeyError } from "../../core/errors.js";
import { complete } from "./complete.js";
import type { History } from "./history.js";
import { print, type ShellResult } from "./result.js";
import type { Shell } from "./shell.js";

export interface InteractiveOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly json: boolean;
  readonly history: History;
}

/** Returns when the user leaves. */
export async function runInteractive(shell: Shell, options: InteractiveOptions): Promise<void> {
  const past = await options.history.load();
  const terminal = createInterface({
    input: options.input,
    output: options.output,
    terminal: true,
    history: past.toReversed(),
    historySize: 1_000,
    removeHistoryDuplicates: true,
    completer: (line: string) => completeOrNothing(shell, line),
  });
  await new LineLoop(shell, terminal, options).run();
}

/** A completion that fails (no node answers) completes nothing: Tab is no place for errors. */
async function completeOrNothing(shell: Shell, line: string): Promise<[string[], string]> {
  try {
    return await complete(shell, line);
  } catch (error) {
    if (error instanceof MinikeyError) return [[], line];
    throw error;
  }
}

class LineLoop {
  readonly #shell: Shell;
  readonly #terminal: Interface;
  readonly #options: InteractiveOptions;
  /** Lines that were pasted or typed while a command was on its way. */
  readonly #waiting: string[] = [];
  #isBusy = false;
  #isClosed = false;
  #interrupt: (() => void) | undefined;
  #finish: () => void = () => {};
  #fail: (error: unknown) => void = () => {};

  constructor(shell: Shell, terminal: Interface, options: InteractiveOptions) {
    this.#shell = shell;
    this.#terminal = terminal;
    this.#options = options;
  }

  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
      this.#terminal.on("line", (line) => {
        this.#waiting.push(line);
        this.#next();
      });
      this.#terminal.on("SIGINT", () => this.#onInterrupt());
      this.#terminal.on("close", () => {
        this.#isClosed = true;
        this.#next();
      });
      this.#prompt();
    });
  }

  /** Starts the next waiting line, or ends when there is none and the input has ended. */
  #next(): void {
    if (this.#isBusy) return;
    const line = this.#waiting.shift();
    if (line !== undefined) {
      this.#isBusy = true;
      this.#runLine(line).then(() => this.#onLineDone(), this.#fail);
    } else if (this.#isClosed) {
      this.#finish();
    } else {
      this.#prompt();
    }
  }

  #onLineDone(): void {
    this.#isBusy = false;
    this.#next();
  }

  async #runLine(line: string): Promise<void> {
    await this.#options.history.add(line);
    const interrupted = new Promise<"interrupted">((resolve) => {
      this.#interrupt = (): void => resolve("interrupted");
    });
    const result = await Promise.race([this.#shell.execute(line), interrupted]);
    this.#interrupt = undefined;
    if (result === "interrupted") {
      this.#print("(no longer waiting: the command may or may not have been carried out)");
    } else {
      this.#show(result);
    }
  }

  #show(result: ShellResult): void {
    const { out } = print(result, { to: "terminal", json: this.#options.json });
    if (out !== undefined) this.#print(out.toString());
    if (result.kind !== "exit") return;
    this.#waiting.length = 0;
    this.#isClosed = true;
    this.#terminal.close();
  }

  #onInterrupt(): void {
    if (this.#interrupt !== undefined) {
      this.#print("^C");
      this.#interrupt();
      return;
    }
    this.#terminal.write(null, { ctrl: true, name: "e" });
    this.#options.output.write("^C\n");
    this.#terminal.write(null, { ctrl: true, name: "u" });
    this.#prompt();
  }

  #prompt(): void {
    const keyspace = this.#shell.keyspace;
    this.#terminal.setPrompt(keyspace === undefined ? "> " : `${keyspace}> `);
    this.#terminal.prompt();
  }

  #print(text: string): void {
    this.#options.output.write(`${text}\n`);
  }
}
