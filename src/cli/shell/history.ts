/**
 * The shell's history file: one line a command, oldest first, readable by its owner alone. A history that
 * cannot be read or written is no reason not to start: it is said once.
 */
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

const LINES_MAX = 1_000;

export function historyPath(environment: NodeJS.ProcessEnv): string {
  return environment.MINIKEY_HISTORY ?? join(homedir(), ".minikey_history");
}

/** Passwords do not belong into a file. */
const isSecret = (line: string): boolean => /^\s*(auth|hello\s.*\bauth)\b/i.test(line);

export class History {
  readonly #path: string;
  readonly #onTrouble: (message: string) => void;
  #isBroken = false;

  constructor(path: string, onTrouble: (message: string) => void) {
    this.#path = path;
    this.#onTrouble = onTrouble;
  }

  /** Oldest first. Cuts a file that has grown long. */
  async load(): Promise<string[]> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#give(error);
      return [];
    }
    const lines = text.split("\n").filter((line) => line !== "");
    const kept = lines.slice(-LINES_MAX);
    if (lines.length > 2 * LINES_MAX) {
      await this.#attempt(() => writeFile(this.#path, `${kept.join("\n")}\n`, { mode: 0o600 }));
    }
    return kept;
  }

  async add(line: string): Promise<void> {
    if (this.#isBroken || line.trim() === "" || isSecret(line)) return;
    await this.#attempt(() => appendFile(this.#path, `${line}\n`, { mode: 0o600 }));
  }

  async #attempt(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#give(error);
    }
  }

  #give(error: unknown): void {
    if (!this.#isBroken) this.#onTrouble(`no history: ${(error as Error).message}`);
    this.#isBroken = true;
  }
}
