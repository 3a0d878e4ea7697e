/**
 * How a command of `minikey` ends: 0 done, 1 failed, 2 wrong usage. What went wrong goes to stderr in one
 * line that names it; stdout holds results alone.
 */
import { ERROR_CLASSES, MinikeyError } from "../core/errors.js";

/** A failure whose message is complete, or was printed already (`message` empty). */
export class ExitError extends Error {
  override readonly name = "ExitError";
  readonly exitStatus: number;

  constructor(message: string, exitStatus = 1) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

/** A mistake in the command line itself. */
export const usageError = (message: string): ExitError => new ExitError(message, 2);

/** That a file of the user's cannot be read, and why, in one line. */
export function unreadable(path: string, error: unknown): ExitError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EISDIR") return new ExitError(`${path} is a directory`);
  const reasons: Readonly<Record<string, string>> = { ENOENT: "no such file", EACCES: "permission denied" };
  return new ExitError(`cannot read ${path}: ${reasons[code ?? ""] ?? message}`);
}

/** The line for stderr (empty for none) and the exit status. */
export function describeFailure(error: unknown): { readonly line: string; readonly exitStatus: number } {
  if (error instanceof ExitError) return { line: error.message, exitStatus: error.exitStatus };
  if (error instanceof MinikeyError) {
    return { line: error.message, exitStatus: ERROR_CLASSES[error.code].exit };
  }
  // Anything else is a bug: its stack is what helps.
  return {
    line: error instanceof Error ? (error.stack ?? error.message) : String(error),
    exitStatus: 1,
  };
}

/** Prints the failure and sets the exit status, so that what is still being written gets out. */
export function reportFailure(error: unknown): void {
  const { line, exitStatus } = describeFailure(error);
  if (line !== "") process.stderr.write(`minikey: ${line}\n`);
  process.exitCode = exitStatus;
}
