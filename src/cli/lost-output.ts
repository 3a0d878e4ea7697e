/**
 * What a command does when its output cannot be written. A server goes on: its output is a courtesy. Any other
 * command ends: quietly when nobody reads any more, as behind `| head`, else with the reason. One that changes data
 * has then not done all that it was asked for, and says so by its status.
 */
import { ExitError, reportFailure } from "./failure.js";

export type OutputOf = "server" | "writer" | "reader";

/** Listens from now on; without a listener a lost reader would end the process with a stack. */
export function watchOutput(kind: OutputOf): void {
  const onError = (error: NodeJS.ErrnoException): void => {
    if (kind !== "server") endFor(error, kind);
  };
  process.stdout.on("error", onError);
  process.stderr.on("error", onError);
}

function endFor({ code, message }: NodeJS.ErrnoException, kind: "writer" | "reader"): never {
  if (code === "EPIPE") {
    if (kind === "writer") process.exitCode = 1;
  } else {
    const reason = code === "ENOSPC" ? "the disk is full" : message;
    reportFailure(new ExitError(`cannot write the output: ${reason}`));
  }
  process.exit();
}
