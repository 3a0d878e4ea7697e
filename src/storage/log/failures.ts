/** How the log speaks of what goes wrong: always with the file, and the byte where there is one. */
import { MinikeyError } from "../../core/errors.js";

/** The disk refused: the log must not be used any more. */
export function diskFailed(action: string, path: string, error: unknown): MinikeyError {
  if (error instanceof MinikeyError) return error;
  const code = codeOf(error);
  const reason = code !== undefined && FULL.has(code) ? `the disk is full (${code})` : describe(error, code);
  return new MinikeyError("DISK_FAILED", `cannot ${action} ${path}: ${reason}`, { cause: error });
}

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** What `onDisk` rejects with when there was no space. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof MinikeyError ? codeOf(error.cause) : codeOf(error);
  return code !== undefined && FULL.has(code);
}

/** Bytes that were durable are not what was written. */
export function corrupt(path: string, offsetBytes: number, what: string): MinikeyError {
  return new MinikeyError("DATA_CORRUPT", `${path} is damaged at byte ${offsetBytes}: ${what}`);
}

/** The value of a disk operation; its failure as `DISK_FAILED`. */
export async function onDisk<T>(action: string, path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw diskFailed(action, path, error);
  }
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function describe(error: unknown, code: string | undefined): string {
  const message = error instanceof Error ? error.message : String(error);
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}
